/** Unary calls, a fixed number in flight. */

import { unaryBodies } from './bodies.ts';
import { GrpcConnection } from './grpc-connection.ts';
import type { CallEnd } from './grpc-stream.ts';
import type { LoadResult, UnaryJob } from './jobs.ts';
import { Latencies } from './latencies.ts';

/** Runs the job. Every response must hold exactly one message, with content where the request had some. */
export async function runUnary(job: UnaryJob): Promise<LoadResult> {
  const path = `/charge.v1.ChargeService/${job.method}`;
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => GrpcConnection.open(job.address, path)),
  );
  try {
    return await new UnaryLoad(job, connections).run();
  } finally {
    for (const connection of connections) connection.close();
  }
}

class UnaryLoad {
  readonly #job: UnaryJob;
  readonly #connections: readonly GrpcConnection[];
  readonly #bodies: ReturnType<typeof unaryBodies>;
  readonly #latencies = new Latencies();
  readonly #done = Promise.withResolvers<void>();
  readonly #responseBytesMin: number;
  #ok = 0;
  #failed = 0;
  #inFlight = 0;
  #stopAtMs = 0;

  constructor(job: UnaryJob, connections: readonly GrpcConnection[]) {
    this.#job = job;
    this.#connections = connections;
    this.#bodies = unaryBodies(job.body);
    // A created charge comes back with at least its id and times.
    this.#responseBytesMin = this.#bodies.rows * 80;
  }

  async run(): Promise<LoadResult> {
    const startedAtMs = performance.now();
    this.#stopAtMs = startedAtMs + this.#job.seconds * 1000;
    for (let index = 0; index < this.#job.inFlight; index++) {
      const connection = this.#connections[index % this.#connections.length];
      if (connection !== undefined) this.#call(connection);
    }
    for (const connection of this.#connections) connection.flush();
    await this.#done.promise;
    const seconds = (performance.now() - startedAtMs) / 1000;
    const { p50Ms, p99Ms, maxMs } = this.#latencies.summary() ?? {};
    return {
      ok: this.#ok,
      failed: this.#failed,
      rows: this.#ok * this.#bodies.rows,
      seconds,
      p50Ms,
      p99Ms,
      maxMs,
    };
  }

  /** The next call goes out with the answers' turn: the connection flushes once it has read everything. */
  #call(connection: GrpcConnection): void {
    const startedAtMs = performance.now();
    this.#inFlight++;
    connection.call(this.#bodies.next(), (end) => {
      this.#inFlight--;
      const now = performance.now();
      if (this.#isOk(end)) {
        this.#ok++;
        this.#latencies.add(now - startedAtMs);
      } else {
        this.#failed++;
      }
      // A server that refuses everything must not be asked as fast as it can refuse.
      if (now < this.#stopAtMs && !connection.lost && this.#failed < FAILURES_MAX) this.#call(connection);
      else if (this.#inFlight === 0) this.#done.resolve();
    });
  }

  #isOk({ status, messages, messageBytes }: CallEnd): boolean {
    return status === 0 && messages === 1 && messageBytes >= this.#responseBytesMin;
  }
}

const FAILURES_MAX = 1000;
