/** `grpc.health.v1.Health`: the library's implementation, with watches that are counted and drained. */

import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Code,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation, service } from 'grpc-health-check';

import type { Failure } from '../errors/failure.ts';
import { headerOf } from './call-headers.ts';
import { logFailedCall } from './call-log.ts';
import type { MethodName, RpcContext } from './context.ts';
import type { LongStream } from './long-streams.ts';
import { toCallError } from './status.ts';

const CHECK: MethodName = { service: 'grpc.health.v1.Health', method: 'Check', type: 'unary' };
const WATCH: MethodName = { service: 'grpc.health.v1.Health', method: 'Watch', type: 'server_stream' };

type ServingStatus = 'SERVING' | 'NOT_SERVING';
interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: ServingStatus | 'SERVICE_UNKNOWN';
}
type CheckHandler = (
  call: ServerUnaryCall<HealthRequest, HealthResponse>,
  callback: sendUnaryData<HealthResponse>,
) => void;
type WatchHandler = (call: ServerWritableStream<HealthRequest, HealthResponse>) => void;

/** Health of the server; everything is NOT_SERVING until said otherwise. */
export class Health {
  readonly definition = service;
  readonly #statuses: Map<string, ServingStatus>;
  readonly #library: HealthImplementation;

  /** `services`: their full names; `''`, the server as a whole, is always one of them. */
  constructor(services: readonly string[]) {
    this.#statuses = new Map(['', ...services].map((name) => [name, 'NOT_SERVING']));
    this.#library = new HealthImplementation(Object.fromEntries(this.#statuses));
  }

  /** Tells checks and watches about a service. */
  setServing(name: string, serving: boolean): void {
    const status = serving ? 'SERVING' : 'NOT_SERVING';
    if (this.#statuses.get(name) === status) return;
    this.#statuses.set(name, status);
    this.#library.setStatus(name, status);
  }

  /** Every service is NOT_SERVING. */
  stopServing(): void {
    for (const name of this.#statuses.keys()) this.setServing(name, false);
  }

  /** Adds the service to a server. */
  addTo(server: Server, context: RpcContext): void {
    let library: UntypedServiceImplementation = {};
    this.#library.addToServer({
      addService: (_definition: unknown, implementation: UntypedServiceImplementation) => {
        library = implementation;
      },
    });
    server.addService(service, {
      ...library,
      check: this.#onlyKnown(library['check'] as CheckHandler, context),
      watch: this.#tracked(library['watch'] as WatchHandler, context),
    });
  }

  /** Answers for unknown services here, because the library repeats their names, of any length, in a header. */
  #onlyKnown(check: CheckHandler, context: RpcContext): CheckHandler {
    return (call, callback) => {
      if (this.#statuses.has(call.request.service)) return check(call, callback);
      logRefusal(context, call, CHECK, Code.NOT_FOUND);
      callback({ code: Code.NOT_FOUND, details: 'health is not known for this service' });
    };
  }

  /** Counts and drains watches. A watch of an unknown service does not reach the library, which would keep its name for ever. */
  #tracked(watch: WatchHandler, context: RpcContext): WatchHandler {
    const { admission, streams } = context;
    return (call) => {
      const end = (failure: Failure): void => {
        call.emit('error', toCallError(failure));
      };
      const stream: LongStream = { kind: 'infrastructure', peer: call.getPeer(), drain: end, cut: end };
      const failure = admission.drainFailure ?? streams.open(stream);
      if (failure !== undefined) {
        logRefusal(context, call, WATCH, Code[failure.code], failure.reason);
        end(failure);
        return;
      }
      // Emitted however the call ends.
      call.once('cancelled', () => streams.close(stream));
      if (this.#statuses.has(call.request.service)) watch(call);
      else call.write({ status: 'SERVICE_UNKNOWN' });
    };
  }
}

/** The library's calls are neither counted nor logged elsewhere. */
function logRefusal(
  { logger }: RpcContext,
  call: Parameters<CheckHandler | WatchHandler>[0],
  name: MethodName,
  code: Code,
  reason?: Failure['reason'],
): void {
  const header = (name: string) => headerOf(call.metadata, name);
  const refused = { name, tenant: '', peer: call.getPeer(), header };
  logFailedCall(logger, refused, { code, reason, durationMs: 0 });
}
