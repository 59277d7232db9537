/** A gRPC server on the database: puts a server process together, for production and for tests. */

import { type JournalEvent, ChargeRates } from '../charges/index.ts';
import { priceMethods } from '../charges/rpc/price-methods.ts';
import { RecordWindow } from '../charges/rpc/record-window.ts';
import { chargeService } from '../charges/rpc/service.ts';
import type { Config } from '../config.ts';
import type { DatabaseFault } from '../database/database-fault.ts';
import { readContractImage } from '../grpc/contract-image.ts';
import { DEFAULT_RPC_LIMITS } from '../grpc/limits.ts';
import { createRpcServer } from '../grpc/server.ts';
import type { RpcService } from '../grpc/service.ts';
import { defaultTenantLimits, type LimitsOf } from '../grpc/tenant-limits.ts';
import { ContractRules } from '../grpc/validation.ts';
import type { Logger } from '../observability/logger.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import { priceService } from '../prices/rpc/service.ts';
import { openAuthenticator } from '../tenants/index.ts';
import { tenantService } from '../tenants/rpc/service.ts';
import { userProfileService } from '../tenants/rpc/user-profile-service.ts';
import type { ServerCertificate } from '../tls/certificate.ts';
import { usageService } from '../usage/rpc/service.ts';
import { openStore } from './store.ts';
import { createStreamCheck } from './stream-check.ts';
import { limitsFrom } from './tenant-limits.ts';

/** What the server is given from outside. */
export interface ServerOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** Why charges cannot be recorded, or undefined if they can: at first, and whenever that changes. */
  serving(fault: DatabaseFault | undefined): void;
  /** These events of one tenant's journal were committed together, in order. */
  committed(events: readonly JournalEvent[]): void;
  /** Where NATS is, for Reconcile; undefined as long as it has not started. */
  natsUrl(): string | undefined;
  /** Limits of each tenant. Default: {@link defaultTenantLimits}. */
  readonly limitsOf?: LimitsOf;
}

/** An open server. */
export interface OpenServer {
  /**
   * Starts to listen and resolves to the port. Rejects if the address is taken. `shared`: other processes of
   * this service listen on the same address.
   */
  listen(options?: { readonly shared: boolean }): Promise<number>;
  /** Shows this certificate to new connections. With TLS, `listen()` needs one. */
  setCertificate(certificate: ServerCertificate): void;
  /** Tells whether events reach the stream; the health service shows it as `charge.v1.events`. */
  relayPublishing(publishing: boolean): void;
  /** Refuses new calls, finishes those in progress within `timeoutMs`, and closes everything. */
  drain(timeoutMs: number): Promise<void>;
}

/** The name under which the health service says whether events reach the stream. */
const EVENTS_SERVICE = 'charge.v1.events';

type ServerConfig = Pick<
  Config,
  | 'listen'
  | 'credentials'
  | 'tls'
  | 'writers'
  | 'inFlightCallsMax'
  | 'streamsMax'
  | 'eventFormat'
  | 'eventMaxAgeMs'
  | 'streamReplicas'
> &
  Partial<Pick<Config, 'natsAccess'>>;

/** Read and compiled by the first server of a process: that takes 140 ms, and tests open many. */
let rules: ContractRules | undefined;

/** Opens the database and builds the server on it. It accepts connections from `listen()` on. */
export async function openServer(config: ServerConfig, options: ServerOptions): Promise<OpenServer> {
  const { logger, metrics } = options;
  const streamCheck = createStreamCheck(config, () => options.natsUrl());
  const store = await openStore(config.writers, { ...options, streamCheck });
  const { watch } = store;
  const image = readContractImage();
  rules ??= new ContractRules(image);
  const recordWindow = new RecordWindow();
  const { inFlightCallsMax, streamsMax } = config;
  const limits = { ...DEFAULT_RPC_LIMITS, inFlightCallsMax, streamsMax };
  const tenantLimits = defaultTenantLimits(limits);
  const limitsOf =
    options.limitsOf ?? ((tenant) => limitsFrom(store.tenants.settingsOf(tenant), tenantLimits));
  const services = servicesOf(store, { rules, recordWindow, limitsOf, metrics });
  const authenticator = openAuthenticator(store.access, {
    settings: config.credentials,
    tenants: store.tenants,
    logger,
    retryAfterMs: limits.retryAfterMs,
    refused: (cause) => metrics.authenticationRefused(cause),
  });
  const rpc = createRpcServer({
    services,
    image,
    logger,
    metrics: metrics.rpc,
    limits,
    limitsOf,
    tls: config.tls,
    authenticate: authenticator.authenticate,
  });
  metrics.watchLoad(rpc.load, {
    queuedCharges: store.queuedCharges,
    recordBytes: () => recordWindow.bytes,
    pools: store.pools,
  });
  const judged = watch.start((fault) => {
    for (const name of ['', ...services.map((service) => service.name)])
      rpc.setServing(name, fault === undefined);
    options.serving(fault);
  });
  rpc.setServing(EVENTS_SERVICE, false);

  return {
    listen: async ({ shared } = { shared: false }) => {
      await judged;
      return rpc.bind(config.listen, { shared });
    },
    setCertificate: (certificate) => rpc.setCertificate(certificate),
    relayPublishing: (publishing) => rpc.setServing(EVENTS_SERVICE, publishing),
    drain: async (timeoutMs) => {
      watch.stop();
      try {
        await rpc.drain(timeoutMs);
      } finally {
        authenticator.close();
        await store.close();
      }
    },
  };
}

interface ServicesOptions {
  readonly rules: ContractRules;
  readonly recordWindow: RecordWindow;
  readonly limitsOf: LimitsOf;
  readonly metrics: ServerMetrics;
}

/** Every service of the contract, on one store. */
function servicesOf(
  store: Awaited<ReturnType<typeof openStore>>,
  { rules, recordWindow, limitsOf, metrics }: ServicesOptions,
): RpcService[] {
  const rates = new ChargeRates((tenant) => limitsOf(tenant).chargesPerSecondMax);
  const chargeMethods = priceMethods({ ...store.prices, rules });
  return [
    chargeService({ ...store.charges, metrics: metrics.charges, rules, recordWindow, rates }),
    priceService({ ...store.prices, rules, chargeMethods }),
    usageService({ ...store.usage, rules }),
    tenantService({ ...store.administration, rules }),
    userProfileService({ ...store.userProfiles, rules }),
  ];
}
