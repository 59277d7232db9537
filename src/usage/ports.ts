/** What the RPCs of usage need from the store. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Actor } from '../tenants/index.ts';
import type {
  CheckRun,
  NumberRange,
  ReconcileEvents,
  ReconcileOptions,
  ReconcileSummary,
} from './reconcile.ts';
import type { UsagePlace, UsageQuery, UsageRow } from './usage.ts';

/** Which rows of an answer to read. */
export interface UsagePageQuery {
  readonly query: UsageQuery;
  /** Where windows begin and end; undefined: there are none. */
  readonly bounds: readonly bigint[] | undefined;
  /** At least 1. */
  readonly limit: number;
  /** Go on after this row; undefined: from the first one. */
  readonly after: UsagePlace | undefined;
}

/** Rows of an answer. */
export interface UsagePage {
  readonly rows: readonly UsageRow[];
  /** The number of the journal that the rows are true for. */
  readonly asOfSequence: bigint;
  /** Charges before this time may be archived; undefined: none is. */
  readonly archiveEndMicros: bigint | undefined;
}

/**
 * Answers questions about usage. Rejects with a {@link ServiceError}: `scan_limit_exceeded`, `sequence_out_of_range`,
 * `amount_out_of_range`, `database_unavailable`, `deadline_exceeded`, `overloaded`.
 */
export interface UsageReader {
  /** At most `limit` rows of an answer, in order. */
  page(tenant: string, page: UsagePageQuery, timeoutMs: number | undefined): Promise<UsagePage>;
  /**
   * All rows of an answer, in order, a bounded number at a time; at least one page. It keeps a connection until the
   * end.
   */
  stream(tenant: string, question: Pick<UsagePageQuery, 'query' | 'bounds'>): AsyncGenerator<UsagePage>;
}

/**
 * Compares what is stored more than once. Each repair has an entry in the audit log. Rejects with a
 * {@link ServiceError}: `overloaded` while another run lasts, `database_unavailable`.
 */
export interface Reconciler {
  /** Resolves when everything is compared, or the signal of the caller is aborted. What was repaired by then stays so. */
  run(
    tenant: string,
    options: ReconcileOptions,
    events: ReconcileEvents,
    caller: ReconcileCaller,
  ): Promise<ReconcileSummary>;
}

/** Who asks for a run, for the audit log. Aborted: nobody waits for it any more. A streaming call is one. */
export interface ReconcileCaller extends Actor {
  readonly signal: AbortSignal;
}

/** Compares the stream with the journal, which it reads on `em`. Reports a stream that cannot be read as a finding. */
export type StreamCheck = (em: EntityManager, run: StreamCheckRun) => Promise<void>;

/** What the comparison of the stream works with. */
export interface StreamCheckRun extends CheckRun {
  /** Called once, before the stream is repaired: adds an entry to the audit log. `sequences`: has all that is missing. */
  readonly repairing: (sequences: NumberRange) => Promise<void>;
}
