/**
 * Every open stream of a server: limited in number, and told when the server drains, because a
 * graceful shutdown of grpc-js never finishes while a stream is open.
 */

import { type Failure, overloaded } from '../errors/failure.ts';
import type { RpcLimits } from './limits.ts';
import { prepareFailure } from './status.ts';
import { type LimitsOf, TenantCounts } from './tenant-limits.ts';

/** What a stream is for. Health watches and reflection streams are infrastructure. */
export type StreamKind = 'record' | 'watch' | 'export' | 'infrastructure';

/** An open stream, as the drain sees it. */
export interface LongStream {
  readonly kind: StreamKind;
  /** Address and port of the client. */
  readonly peer: string;
  /** Finish what was accepted, then end with this failure. */
  drain(failure: Failure): void;
  /** End with this failure now. */
  cut(failure: Failure): void;
  /** Drain if the credential of the call is not accepted any more. Absent: the call needs none. Never throws. */
  checkCredential?(): void;
}

/** Above the limit, a connection with a hundredth of it may still open a stream, up to a multiple of the limit. */
const FEW_STREAMS_PART = 0.01;
const HARD_LIMIT_FACTOR = 2;

/** The open streams of a server. Infrastructure has a limit of its own, of the same size. */
export class LongStreams {
  readonly #streamsMax: number;
  readonly #overloaded: Failure;
  /** With the tenant that each is counted for, once that is known. */
  readonly #open = new Map<LongStream, string | undefined>();
  readonly #counts: Record<StreamKind, number> = { record: 0, watch: 0, export: 0, infrastructure: 0 };
  readonly #byPeer = new Map<string, number>();
  readonly #byTenant: TenantCounts;
  readonly #limitsOf: LimitsOf;
  #whenEmpty: (() => void) | undefined;

  constructor(
    { streamsMax, retryAfterMs }: Pick<RpcLimits, 'streamsMax' | 'retryAfterMs'>,
    limitsOf: LimitsOf,
  ) {
    this.#streamsMax = streamsMax;
    this.#limitsOf = limitsOf;
    this.#byTenant = new TenantCounts('streams', retryAfterMs);
    const description = `${streamsMax.toLocaleString('en')} open streams`;
    this.#overloaded = prepareFailure(overloaded('open_streams', description, retryAfterMs));
  }

  /** How many streams of a kind are open. */
  count(kind: StreamKind): number {
    return this.#counts[kind];
  }

  /** Adds a stream, or says why not. */
  open(stream: LongStream): Failure | undefined {
    const { record, watch, export: exports, infrastructure } = this.#counts;
    const open = stream.kind === 'infrastructure' ? infrastructure : record + watch + exports;
    const ofPeer = this.#byPeer.get(stream.peer) ?? 0;
    const few = Math.max(1, this.#streamsMax * FEW_STREAMS_PART);
    const max = ofPeer < few ? this.#streamsMax * HARD_LIMIT_FACTOR : this.#streamsMax;
    if (open >= max) return this.#overloaded;
    this.#open.set(stream, undefined);
    this.#counts[stream.kind]++;
    this.#byPeer.set(stream.peer, ofPeer + 1);
    return undefined;
  }

  /** Counts an open stream for its tenant, or says why the tenant may not have it. Infrastructure is not counted. */
  acquireOf(tenant: string, stream: LongStream): Failure | undefined {
    if (stream.kind === 'infrastructure') return undefined;
    const failure = this.#byTenant.acquire(tenant, this.#limitsOf(tenant).streamsMax);
    if (failure === undefined) this.#open.set(stream, tenant);
    return failure;
  }

  /** The stream's own work is done. Closing it again does nothing. */
  close(stream: LongStream): void {
    const tenant = this.#open.get(stream);
    if (!this.#open.delete(stream)) return;
    if (tenant !== undefined) this.#byTenant.release(tenant);
    this.#counts[stream.kind]--;
    const ofPeer = (this.#byPeer.get(stream.peer) ?? 0) - 1;
    if (ofPeer > 0) this.#byPeer.set(stream.peer, ofPeer);
    else this.#byPeer.delete(stream.peer);
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  /** Ends every stream whose credential was revoked, has expired, or is of a suspended tenant. */
  checkCredentials(): void {
    for (const stream of [...this.#open.keys()]) stream.checkCredential?.();
  }

  /** Ends every stream that the drain left open. */
  cut(failure: Failure): void {
    for (const stream of [...this.#open.keys()]) stream.cut(failure);
  }

  /** Tells every open stream to end. Resolves once all have. */
  drain(failure: Failure): Promise<void> {
    for (const stream of [...this.#open.keys()]) stream.drain(failure);
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }
}
