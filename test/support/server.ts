/** A real server on a real database in this process, and a real client, for a suite. */

import { ChannelCredentials, type ServiceError } from '@grpc/grpc-js';

import { Charge, ChargeType, Provider } from '../../generated/charge/v1/charge.ts';
import { ChargeServiceClient, type CreateChargeRequest } from '../../generated/charge/v1/charge_service.ts';
import type { Status } from '../../generated/google/rpc/status.ts';
import type { LimitsOf } from '../../src/grpc/tenant-limits.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';
import type { ServerMetrics } from '../../src/observability/server-metrics.ts';
import { type OpenServer, openServer, type ServerOptions } from '../../src/server/server.ts';
import { type CredentialSettings, OPEN } from '../../src/tenants/credentials/settings.ts';
import { errorOf as summaryOfError, type ErrorSummary, summaryOf } from './errors.ts';

/** Counts nothing: a process has one set of metrics, and a suite opens many servers. */
const NO_METRICS: ServerMetrics = {
  rpc: {
    method: () => ({
      started: () => undefined,
      finished: () => undefined,
      received: () => undefined,
      sent: () => undefined,
    }),
    refused: () => undefined,
  },
  charges: {
    created: () => undefined,
    replayed: () => undefined,
    unpriced: () => undefined,
    rejected: () => undefined,
    corrected: () => undefined,
    tokens: () => undefined,
  },
  writeAttempted: () => undefined,
  authenticationRefused: () => undefined,
  pricesLoaded: () => undefined,
  watchLoad: () => undefined,
};

/** A listening server and a client of it. */
export interface TestServer extends OpenServer {
  readonly address: string;
  readonly client: ChargeServiceClient;
  readonly committed: number;
  /** Drains the server and closes the client. */
  close(): Promise<void>;
}

/** What a suite may set. */
export interface TestServerOptions {
  readonly inFlightCallsMax?: number;
  readonly streamsMax?: number;
  readonly writers?: number;
  /** Where NATS is; none by default. */
  readonly natsUrl?: string;
  /** By default, none are needed. */
  readonly credentials?: CredentialSettings;
  /** Silent by default. */
  readonly logger?: Logger;
  /** Hears why calls were refused. */
  readonly authenticationRefused?: ServerMetrics['authenticationRefused'];
  /** Hears whether charges can be recorded. */
  readonly serving?: ServerOptions['serving'];
  readonly limitsOf?: LimitsOf;
}

/** Opens a server on a migrated database. */
export async function openTestServer(
  databaseUrl: string,
  { logger = createLogger('silent', 'test'), authenticationRefused, ...options }: TestServerOptions = {},
): Promise<TestServer> {
  let committed = 0;
  const config: Parameters<typeof openServer>[0] = {
    listen: { host: '127.0.0.1', port: 0 },
    credentials: OPEN,
    tls: undefined,
    writers: 2,
    inFlightCallsMax: 10_000,
    streamsMax: 100,
    eventFormat: 'protobuf',
    eventMaxAgeMs: 3_600_000,
    streamReplicas: 1,
    ...options,
  };
  const server = await openServer(config, {
    databaseUrl,
    logger,
    metrics: { ...NO_METRICS, ...(authenticationRefused && { authenticationRefused }) },
    serving: options.serving ?? (() => undefined),
    committed: () => committed++,
    natsUrl: () => options.natsUrl,
    ...(options.limitsOf && { limitsOf: options.limitsOf }),
  });
  const address = `127.0.0.1:${await server.listen()}`;
  const client = openClient(address);
  return {
    ...server,
    address,
    client,
    get committed() {
      return committed;
    },
    close: async () => {
      client.close();
      await server.drain(5_000);
    },
  };
}

/** A client with a connection of its own: without TLS, or one that trusts this authority. */
export function openClient(address: string, ca?: string): ChargeServiceClient {
  const channel =
    ca === undefined ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(Buffer.from(ca));
  return new ChargeServiceClient(address, channel, {
    'grpc.use_local_subchannel_pool': 1,
  });
}

/** A valid request; `charge` replaces what a test cares about. */
export function createRequest(requestId: string, charge: Partial<Charge> = {}): CreateChargeRequest {
  return {
    requestId,
    importId: '',
    charge: Charge.fromPartial({
      userProfile: 'alice',
      provider: Provider.PROVIDER_OPENAI,
      chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
      model: 'gpt-4o',
      promptTokens: 374n,
      completionTokens: 44n,
      ...charge,
    }),
  };
}

type Callback<Res> = (error: ServiceError | null, response: Res) => void;

/** Turns a unary call into a promise. */
export function call<Res>(start: (callback: Callback<Res>) => unknown): Promise<Res> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

/** An error as the contract describes it. */
export interface DecodedError {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string>;
  readonly violations: { field: string; rule: string }[];
  readonly retryDelay: boolean;
}

/** Decodes the rich details of a failed call. */
export function decodeError(error: unknown): DecodedError {
  return decode(summaryOfError(error));
}

/** Decodes a `google.rpc.Status`, from a trailer or a result. */
export function decodeStatus(status: Status | undefined): DecodedError {
  return decode(summaryOf(status));
}

function decode({ violations, retryAfterMs, text, ...summary }: ErrorSummary): DecodedError {
  return {
    ...summary,
    message: text,
    violations: violations.map(({ field, reason }) => ({ field, rule: reason })),
    retryDelay: retryAfterMs !== undefined,
  };
}

/** Waits for the failure of a promise and decodes it; fails when it succeeds. */
export async function errorOf(promise: Promise<unknown>): Promise<DecodedError> {
  try {
    await promise;
  } catch (error) {
    return decodeError(error);
  }
  throw new Error('expected the call to fail, and it succeeded');
}
