/**
 * Every long stream in one place: bounded in number, and told when the server drains, because a
 * graceful shutdown of grpc-js never finishes while one is open.
 */

import type { Failure } from '../errors/service-error.ts';
import { prepareFailure } from './status.ts';

/** What a stream is for. Health watches and reflection streams are infrastructure. */
export type StreamKind = 'record' | 'watch' | 'infrastructure';

/** An open stream, as the drain sees it. */
export interface LongStream {
  readonly kind: StreamKind;
  /** Finish what was taken on, then end with this failure. */
  drain(failure: Failure): void;
  /** End with this failure now, whatever was taken on. */
  cut(failure: Failure): void;
}

/** The open streams of a server. */
export class LongStreams {
  readonly #streamsMax: number;
  readonly #overloaded: Failure;
  readonly #open = new Set<LongStream>();
  readonly #counts: Record<StreamKind, number> = { record: 0, watch: 0, infrastructure: 0 };
  #whenEmpty: (() => void) | undefined;

  constructor(streamsMax: number, retryAfterMs: number) {
    this.#streamsMax = streamsMax;
    this.#overloaded = prepareFailure({ kind: 'overloaded', limit: 'open_streams', retryAfterMs });
  }

  /** How many streams of a kind are open. */
  count(kind: StreamKind): number {
    return this.#counts[kind];
  }

  /** Takes a stream in; or says why not. Infrastructure has a bound of its own, of the same size. */
  open(stream: LongStream): Failure | undefined {
    const { record, watch, infrastructure } = this.#counts;
    const taken = stream.kind === 'infrastructure' ? infrastructure : record + watch;
    if (taken >= this.#streamsMax) return this.#overloaded;
    this.#open.add(stream);
    this.#counts[stream.kind]++;
    return undefined;
  }

  /** The stream's own work is done. Closing it again does nothing. */
  close(stream: LongStream): void {
    if (!this.#open.delete(stream)) return;
    this.#counts[stream.kind]--;
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  /** Ends every stream that the drain left open. */
  cut(failure: Failure): void {
    for (const stream of [...this.#open]) stream.cut(failure);
  }

  /** Tells every open stream to end; resolves once all have. */
  drain(failure: Failure): Promise<void> {
    for (const stream of [...this.#open]) stream.drain(failure);
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }
}
