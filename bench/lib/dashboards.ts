/** Many callers that ask one question again and again. */

import { setTimeout as delay } from 'node:timers/promises';

import { QueryUsageRequest } from '../../generated/charge/v1/usage_service.ts';
import { type CallEnd, GrpcConnection } from './load/grpc-connection.ts';
import { Latencies } from './load/latencies.ts';
import { GRPC_PREFIX_BYTES } from './load/message-counter.ts';

const CONNECTIONS = 8;
const OK = 0;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
/** A caller that is refused asks again after this time. */
const PAUSE_MS = 1_000;

/** Asks until it is stopped. Any other answer than OK, OVERLOADED and DEADLINE_EXCEEDED fails. */
export class DashboardCallers {
  readonly latencies = new Latencies();
  answered = 0;
  /** How often callers were refused. */
  overloaded = 0;
  /** How often an answer took too long, with the wait for its turn. */
  late = 0;
  readonly #connections: readonly GrpcConnection[];
  readonly #framed: Buffer;
  readonly #stopping = new AbortController();
  readonly #callers: Promise<unknown>;
  #failure: Error | undefined;

  private constructor(connections: readonly GrpcConnection[], request: QueryUsageRequest, callers: number) {
    const body = QueryUsageRequest.encode(request).finish();
    this.#framed = Buffer.alloc(GRPC_PREFIX_BYTES + body.length);
    this.#framed.writeUInt32BE(body.length, 1);
    this.#framed.set(body, GRPC_PREFIX_BYTES);
    this.#connections = connections;
    this.#callers = Promise.all(Array.from({ length: callers }, (_, index) => this.#run(index)));
  }

  static async start(
    address: string,
    request: QueryUsageRequest,
    callers: number,
  ): Promise<DashboardCallers> {
    const connections = await Promise.all(
      Array.from({ length: CONNECTIONS }, () =>
        GrpcConnection.open(address, '/charge.v1.UsageService/QueryUsage'),
      ),
    );
    return new DashboardCallers(connections, request, callers);
  }

  /** Cancels the calls in flight. Throws if a call failed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const connection of this.#connections) connection.close();
    await this.#callers;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(index: number): Promise<void> {
    const connection = this.#connections[index % this.#connections.length];
    if (connection === undefined) return;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const startedAtMs = performance.now();
      const { status } = await new Promise<CallEnd>((resolve) => {
        connection.call(this.#framed, resolve);
        connection.flush();
      });
      if (signal.aborted) return;
      if (status === OK) {
        this.answered++;
        this.latencies.add(performance.now() - startedAtMs);
      } else if (status === RESOURCE_EXHAUSTED || status === DEADLINE_EXCEEDED) {
        if (status === DEADLINE_EXCEEDED) this.late++;
        else this.overloaded++;
        await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      } else {
        this.#failure ??= new Error(`a dashboard got the status ${status}`);
        return;
      }
    }
  }
}
