/** `grpc.health.v1.Health`: the library's status map, with bounded and tracked watches. */

import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Code,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation, service } from 'grpc-health-check';

import type { Border } from './call.ts';
import { trackInfrastructureStream } from './infrastructure-stream.ts';

type ServingStatus = 'SERVING' | 'NOT_SERVING';
interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: ServingStatus | 'SERVICE_UNKNOWN';
}

/** The services that health is told for: '' is the server as a whole. */
export const HEALTH_SERVICES: readonly string[] = ['', 'charge.v1.ChargeService'];

/** Name under which health says whether events reach NATS; unknown until it is said for the first time. */
export const EVENTS_HEALTH_SERVICE = 'charge.v1.events';

/** Health of the server; everything is NOT_SERVING until said otherwise. */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>(HEALTH_SERVICES.map((name) => [name, 'NOT_SERVING']));
  readonly #library = new HealthImplementation(Object.fromEntries(this.#statuses));

  /** Tells checks and watches about a service; a repeat of the same status tells nobody. */
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
  addTo(server: Server, border: Border): void {
    let library: UntypedServiceImplementation = {};
    this.#library.addToServer({
      addService: (_definition: unknown, implementation: UntypedServiceImplementation) => {
        library = implementation;
      },
    });
    server.addService(service, {
      ...library,
      check: this.#onlyKnown(library['check'] as CheckHandler),
      watch: this.#tracked(library['watch'] as WatchHandler, border),
    });
  }

  /** The library repeats the name of an unknown service, of any length, in a header. */
  #onlyKnown(check: CheckHandler): CheckHandler {
    return (call, callback) => {
      if (this.#statuses.has(call.request.service)) check(call, callback);
      else callback({ code: Code.NOT_FOUND, details: 'health is not known for this service' });
    };
  }

  /** The library keeps the name of every service that was ever watched. */
  #tracked(watch: WatchHandler, border: Border): WatchHandler {
    return (call) => {
      if (!trackInfrastructureStream(call, border)) return;
      if (this.#statuses.has(call.request.service)) watch(call);
      else call.write({ status: 'SERVICE_UNKNOWN' });
    };
  }
}

type CheckHandler = (
  call: ServerUnaryCall<HealthRequest, HealthResponse>,
  callback: sendUnaryData<HealthResponse>,
) => void;
type WatchHandler = (call: ServerWritableStream<HealthRequest, HealthResponse>) => void;
