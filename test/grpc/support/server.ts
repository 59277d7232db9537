/** A real server on a free port, real clients, and what they got. */

import {
  type CallOptions,
  type ClientOptions,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { expect } from '@jest/globals';

import { type Charge, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import * as proto from '../../../generated/charge/v1/charge_service.ts';
import { ChargeRates } from '../../../src/charges/charge-rates.ts';
import type { ChargeRecorder } from '../../../src/charges/ports.ts';
import { RecordWindow } from '../../../src/charges/rpc/record-window.ts';
import { chargeService } from '../../../src/charges/rpc/service.ts';
import type { RpcMetrics } from '../../../src/grpc/context.ts';
import { type Authenticate, type Principal, SCOPES } from '../../../src/grpc/principal.ts';
import { readContractImage } from '../../../src/grpc/contract-image.ts';
import { DEFAULT_RPC_LIMITS, type RpcLimits } from '../../../src/grpc/limits.ts';
import { createRpcServer, type RpcServer } from '../../../src/grpc/server.ts';
import { defaultTenantLimits, type LimitsOf } from '../../../src/grpc/tenant-limits.ts';
import { ContractRules } from '../../../src/grpc/validation.ts';
import { failureOf } from '../../support/errors.ts';
import type { TestTls } from '../../support/server.ts';
import { FakeJournal, NO_CORRECTOR } from './fakes.ts';

export { errorOf, type ErrorSummary, failureOf, summaryOf } from '../../support/errors.ts';

/** The defaults, but for what would get into the way of tests with many streams on one connection. */
const LIMITS: RpcLimits = {
  ...DEFAULT_RPC_LIMITS,
  inFlightCallsMax: 1000,
  streamsMax: 100,
  retryAfterMs: 1500,
  connectionStreamsMax: 10_000,
};

const image = readContractImage();
const rules = new ContractRules(image);

/** A running server, and what is around it. */
export interface Fixture {
  readonly server: RpcServer;
  readonly journal: FakeJournal;
  readonly client: proto.ChargeServiceClient;
  readonly address: string;
  readonly port: number;
  /** `level message {fields}` of everything that was logged above level debug. */
  readonly logs: string[];
  /** The fields of what was logged at level debug. */
  readonly debugLogs: object[];
  /** `CreateCharge 0` for each finished call; `refused OVERLOADED` for each refusal, `rejected …` for each charge. */
  readonly counts: string[];
  /** Messages of streams that the server has read. */
  received(): number;
  newClient(options?: ClientOptions): proto.ChargeServiceClient;
  close(): Promise<void>;
}

/** Who may do everything, in the tenant `default`. */
export const EVERYTHING: Principal = {
  tenant: 'default',
  name: 'test',
  scopes: new Set(SCOPES),
  userProfile: undefined,
};

/** What a test may set besides limits. */
export interface ServerExtras {
  /** Instead of the fake journal. */
  readonly recorder?: ChargeRecorder;
  readonly recordWindow?: RecordWindow;
  readonly authenticate?: Authenticate;
  readonly limitsOf?: LimitsOf;
  /** Undefined: plain text. */
  readonly tls?: TestTls | undefined;
}

/** Starts a server that serves; whoever starts it closes it. */
export async function startServer(
  limits: Partial<RpcLimits> = {},
  {
    recorder,
    recordWindow = new RecordWindow(),
    authenticate = () => EVERYTHING,
    limitsOf = () => defaultTenantLimits({ ...LIMITS, ...limits }),
    tls,
  }: ServerExtras = {},
): Promise<Fixture> {
  const journal = new FakeJournal();
  const logs: string[] = [];
  const debugLogs: object[] = [];
  const counts: string[] = [];
  let received = 0;
  const log = (level: string) => (fields: object, message: string) => {
    logs.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const logger = {
    debug: (fields: object) => debugLogs.push(fields),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    isLevelEnabled: () => true,
  };
  const metrics = countingMetrics(counts, (messages) => (received += messages));
  const service = chargeService({
    recorder: recorder ?? journal,
    corrector: NO_CORRECTOR,
    reader: journal,
    journal,
    metrics: { rejected: (reason) => counts.push(`rejected ${reason}`) },
    rules,
    recordWindow,
    rates: new ChargeRates((tenant) => limitsOf(tenant).chargesPerSecondMax),
  });
  const server = createRpcServer({
    services: [service],
    image,
    logger,
    metrics,
    limits: { ...LIMITS, ...limits },
    authenticate,
    tls,
    limitsOf,
  });
  if (tls !== undefined) server.setCertificate(tls.certificate);
  const port = await server.bind({ host: '127.0.0.1', port: 0 });
  for (const service of ['', 'charge.v1.ChargeService']) server.setServing(service, true);
  const channel =
    tls === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(tls.ca));
  const clients: proto.ChargeServiceClient[] = [];
  const address = `127.0.0.1:${port}`;
  const newClient = (options: ClientOptions = {}): proto.ChargeServiceClient => {
    // Each client has a connection of its own.
    const own = { 'grpc.use_local_subchannel_pool': 1, ...options };
    const client = new proto.ChargeServiceClient(address, channel, own);
    clients.push(client);
    return client;
  };
  const close = async (): Promise<void> => {
    for (const client of clients) client.close();
    journal.release();
    await server.drain(1000);
  };
  const client = newClient();
  return {
    server,
    journal,
    client,
    address,
    port,
    logs,
    debugLogs,
    counts,
    received: () => received,
    newClient,
    close,
  };
}

function countingMetrics(counts: string[], onReceived: (messages: number) => void): RpcMetrics {
  return {
    method: ({ method, type }) => ({
      started: () => {},
      finished: (code) => counts.push(`${method} ${code}`),
      received: (messages) => {
        if (type !== 'unary') onReceived(messages);
      },
      sent: () => {},
    }),
    refused: (reason) => counts.push(`refused ${reason}`),
  };
}

/** A valid request, with other fields of its charge if given. */
export function chargeRequest(requestId: string, charge: Partial<Charge> = {}): proto.CreateChargeRequest {
  const request = proto.CreateChargeRequest.fromPartial({ requestId });
  request.charge = {
    ...proto.CreateChargeRequest.fromPartial({ charge: {} }).charge,
    userProfile: 'user-1',
    provider: Provider.PROVIDER_OPENAI,
    chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
    model: 'gpt-4o-mini',
    promptTokens: 10n,
    completionTokens: 5n,
    ...charge,
  } as Charge;
  return request;
}

/** Request and response of every unary method. */
interface UnaryMethods {
  createCharge: [proto.CreateChargeRequest, proto.CreateChargeResponse];
  batchCreateCharges: [proto.BatchCreateChargesRequest, proto.BatchCreateChargesResponse];
  getCharge: [proto.GetChargeRequest, proto.GetChargeResponse];
  listCharges: [proto.ListChargesRequest, proto.ListChargesResponse];
}

/** The callback form that every unary method of a generated client has. */
type CallbackForm<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Res) => void,
) => ClientUnaryCall;

/** What a call may be given besides its request. */
export interface CallExtras {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadline?: number;
  /** Told about the call as soon as it is on its way. */
  readonly onCall?: (call: ClientUnaryCall) => void;
}

/** Calls a unary method as a promise: `call(client, 'getCharge', request)`. */
export function call<M extends keyof UnaryMethods>(
  client: proto.ChargeServiceClient,
  method: M,
  request: UnaryMethods[M][0],
  { metadata = {}, deadline, onCall }: CallExtras = {},
): Promise<UnaryMethods[M][1]> {
  const methods = client as unknown as {
    [N in keyof UnaryMethods]: CallbackForm<UnaryMethods[N][0], UnaryMethods[N][1]>;
  };
  const headers = new Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  return new Promise((resolve, reject) => {
    const options = deadline === undefined ? {} : { deadline };
    const running = methods[method](request, headers, options, (error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
    onCall?.(running);
  });
}

/** A call that finds nothing. The server has got everything that this client was able to send before it. */
export async function roundTrip(client: proto.ChargeServiceClient): Promise<void> {
  const request = { key: { $case: 'requestId', value: 'nobody' } } as const;
  expect((await failureOf(call(client, 'getCharge', request))).code).toBe('NOT_FOUND');
}

/** Sends bytes that need not be a message, and returns the bytes of the response. */
export function callWithBytes(
  client: proto.ChargeServiceClient,
  method: string,
  bytes: Uint8Array,
): Promise<Buffer> {
  const same = (value: Buffer): Buffer => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/charge.v1.ChargeService/${method}`,
      same,
      same,
      Buffer.from(bytes),
      (error, response) => {
        if (error === null) resolve(response ?? Buffer.alloc(0));
        else reject(error);
      },
    );
  });
}
