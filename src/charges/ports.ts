/** What the RPCs need from the store. Implemented in `store/`, called from `rpc/`. */

import type { Charge, ChargeFilter, ChargeRequest, ListPosition, RecordResult } from './charge.ts';
import type { ChargeEvent } from './charge-event.ts';

/** Records charges durably. The one write path of the service. */
export interface ChargeRecorder {
  /**
   * Records every request, once per request id and tenant, and resolves after COMMIT with one
   * result per request, in order. Requests of concurrent calls share statements.
   *
   * Rejects with a {@link ServiceError}: `overloaded` before anything was stored,
   * `database_unavailable` when PostgreSQL did not answer (some may be stored), `cancelled` when
   * `options.signal` withdrew them.
   */
  record(
    tenant: string,
    requests: readonly ChargeRequest[],
    options?: RecordOptions,
  ): Promise<RecordResult[]>;
}

/** How requests are recorded. */
export interface RecordOptions {
  /**
   * Withdraws requests that no statement has taken yet; what was taken is stored whether or not anyone
   * waits. It is read, never listened to.
   */
  readonly signal?: Pick<AbortSignal, 'aborted'> | undefined;
  /**
   * The caller limits its own requests in progress, so they are never refused as `overloaded`. Default:
   * false.
   */
  readonly admitted?: boolean;
}

/** A page to read. */
export interface ListQuery {
  readonly filter: ChargeFilter;
  readonly order: 'newest_first' | 'oldest_first';
  /** Also charges that were voided or amended. */
  readonly includeCorrected: boolean;
  /** 1–1001: a page of at most 1000, and one more that tells whether others follow. */
  readonly limit: number;
  /** Start after this place; undefined: at the start. */
  readonly after: ListPosition | undefined;
}

/** Reads charges as they are now. Rejects with a {@link ServiceError}: `database_unavailable`, `deadline_exceeded`, `overloaded`. */
export interface ChargeReader {
  /** The charge with this id (UUID text), or undefined. */
  findById(tenant: string, id: string, options?: ReadOptions): Promise<Charge | undefined>;
  /** The charge that this request id made, or undefined. */
  findByRequestId(tenant: string, requestId: string, options?: ReadOptions): Promise<Charge | undefined>;
  /** At most `limit` charges in order. */
  list(tenant: string, query: ListQuery, options?: ReadOptions): Promise<Charge[]>;
}

/** Bounds of one read. */
export interface ReadOptions {
  /**
   * The read ends after this time. The wait for a connection counts; the rest becomes PostgreSQL's
   * statement_timeout. Undefined or 0: the store's own limit.
   */
  readonly timeoutMs?: number | undefined;
}

/** Reads a tenant's journal by cursor. Rejects with a {@link ServiceError}. */
export interface JournalReader {
  /** The number of the last committed event; 0 for an empty journal. */
  lastSequence(tenant: string): Promise<bigint>;
  /** The events after `afterSequence`, without a gap: `limit` of them, fewer if the journal ends. */
  read(tenant: string, afterSequence: bigint, limit: number): Promise<ChargeEvent[]>;
  /**
   * Resolves when the journal has an entry after `afterSequence`: at once if it already has one, if
   * `signal` is aborted, or if PostgreSQL does not answer. Each reader passes a signal of its own. Never
   * rejects: the caller reads again.
   */
  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void>;
}
