/** What the RPCs need from the store. Implemented in `store/`, called from `rpc/`. */

import type { Cost, CostLine } from '../prices/index.ts';
import type { Actor } from '../tenants/index.ts';
import type {
  AmendRequest,
  ArchivedCharges,
  Charge,
  ChargeFilter,
  ChargeKey,
  ChargeRequest,
  ClosedPeriod,
  Correction,
  ListPosition,
  RecordResult,
  VoidRequest,
} from './charge.ts';
import type { JournalEvent } from './charge-event.ts';
import type { RepriceTotals } from './reprice.ts';

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

/**
 * Withdraws requests that no statement has taken yet; what was taken is stored whether or not anyone waits. It is
 * read, never listened to.
 */
export type Withdrawal = Pick<AbortSignal, 'aborted'> | undefined;

/** Who administers, for the audit log, and whether the request is withdrawn. The context of a call is one. */
export type Administrator = Actor & Pick<AbortSignal, 'aborted'>;

/** How requests are recorded. */
export interface RecordOptions {
  readonly signal?: Withdrawal;
  /**
   * The caller limits its own requests in progress, so they are never refused as `overloaded`. Default:
   * false.
   */
  readonly admitted?: boolean;
}

/** A charge after its correction. */
export interface CorrectedCharge {
  /** As it is now. */
  readonly charge: Charge;
  readonly correction: Correction;
  /** Whether an earlier request with the same id had corrected it. */
  readonly replayed: boolean;
  /** The charge in its place, as it is now; undefined: it was voided. */
  readonly replacement?: Charge | undefined;
}

/**
 * Corrects and archives charges, and closes periods. Whatever one tenant asks for happens one after the other, whichever
 * process does it. What changes something has an entry in the audit log. A request that no transaction has taken yet is
 * withdrawn if its caller has left.
 *
 * Rejects with a {@link ServiceError}: the failure that the rules of corrections give, `overloaded` before anything was
 * stored, `database_unavailable`, or `cancelled`.
 */
export interface ChargeCorrector {
  /** Takes a charge out of all totals. */
  voidCharge(tenant: string, request: VoidRequest, caller: Administrator): Promise<CorrectedCharge>;
  /** Puts another charge in the place of one. */
  amendCharge(tenant: string, request: AmendRequest, caller: Administrator): Promise<CorrectedCharge>;
  /** Closes the time before a moment. */
  closePeriod(tenant: string, endTimeMicros: bigint, caller: Administrator): Promise<ClosedPeriod>;
  /** Archives charges of a closed period, all or none. `ids`: 1–1000, in lower case. `dryRun`: only tells what it would do. */
  archiveCharges(
    tenant: string,
    endTimeMicros: bigint,
    ids: readonly string[],
    dryRun: boolean,
    caller: Administrator,
  ): Promise<ArchivedCharges>;
}

/** A page to read. */
export interface ListQuery {
  readonly filter: ChargeFilter;
  readonly order: 'newest_first' | 'oldest_first';
  /** Also charges that were voided or amended. */
  readonly includeCorrected: boolean;
  /** How many charges to return at most: 1–1000. */
  readonly limit: number;
  /** Start after this place; undefined: at the start. */
  readonly after: ListPosition | undefined;
}

/** Some charges of a list, in its order. */
export interface ChargePage {
  /** At most `limit`, and possibly fewer or none, even if others follow. */
  readonly charges: readonly Charge[];
  /** Go on after this place; undefined: nothing follows. It need not be the place of a charge. */
  readonly next: ListPosition | undefined;
}

/** Everything that happened to a charge. */
export interface ChargeHistory {
  /** As it is now. */
  readonly charge: Charge;
  /** Every cost that it had, the oldest first; the latest {@link HISTORY_COSTS_MAX} if there are more. */
  readonly costs: readonly PastCost[];
  /** Undefined: it counts. */
  readonly correction: Correction | undefined;
}

/** Costs in a history, at most. */
export const HISTORY_COSTS_MAX = 1000;

/** A cost that a charge had, or has. */
export interface PastCost {
  readonly cost: Cost;
  readonly lines: readonly CostLine[];
  /** 0: the charge was recorded with it. */
  readonly revision: number;
  readonly createTimeMicros: bigint;
  /** The caller's name of the run that made it, and why; empty: the charge was recorded with it. */
  readonly runId: string;
  readonly reason: string;
  /** The number of its event; 0: the charge was recorded with it. */
  readonly sequence: bigint;
}

/**
 * Reads charges as they are now. Rejects with a {@link ServiceError}: `database_unavailable`, `deadline_exceeded`,
 * `overloaded`, and `charge_archived` if one charge is asked for that is archived.
 */
export interface ChargeReader {
  /** The charge with this id (UUID text), or undefined. */
  findById(tenant: string, id: string, options?: ReadOptions): Promise<Charge | undefined>;
  /** The charge that this request id made, or undefined. */
  findByRequestId(tenant: string, requestId: string, options?: ReadOptions): Promise<Charge | undefined>;
  /** The next charges of a list. */
  list(tenant: string, query: ListQuery, options?: ReadOptions): Promise<ChargePage>;
  /** Everything that happened to the charge with this key, or undefined if there is none. */
  history(tenant: string, key: ChargeKey, options?: ReadOptions): Promise<ChargeHistory | undefined>;
  /** The request id that made a charge which this reader has given. */
  requestIdOf(charge: Charge): string;
  /** How the cost of a charge is made up. */
  linesOf(tenant: string, charge: Charge): Promise<readonly CostLine[]>;
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
  /** The number of the last event that can no longer be read; 0: all can. */
  archivedSequence(tenant: string): Promise<bigint>;
  /**
   * The events after `afterSequence`, without a gap: `limit` of them, fewer if the journal ends. Rejects with
   * `sequence_archived` if one of them can no longer be read.
   */
  read(tenant: string, afterSequence: bigint, limit: number): Promise<JournalEvent[]>;
  /** Those of the user profiles that carry all of these labels now. */
  labelledUserProfiles(
    tenant: string,
    userProfiles: ReadonlySet<string>,
    labels: ReadonlyMap<string, string>,
  ): Promise<ReadonlySet<string>>;
  /**
   * Resolves when the journal has an entry after `afterSequence`: at once if it already has one, if
   * `signal` is aborted, or if PostgreSQL does not answer. Each reader passes a signal of its own. Never
   * rejects: the caller reads again.
   */
  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void>;
}

/** Gives recorded charges new costs. */
export interface ChargeRepricer {
  /**
   * Computes the costs of the next charges again and records those that change. It looks at `maxCharges` charges, or
   * fewer if that takes long: then the page has a `next` place.
   *
   * Rejects with a {@link ServiceError} if it can do nothing: `request_id_reused`, `period_closed`,
   * `amount_out_of_range`, `database_unavailable`. If one of these comes up after it has done something, the page
   * ends before it.
   *
   * The first page of a run that records something has an entry in the audit log.
   */
  reprice(tenant: string, query: RepriceQuery, caller: RepriceCaller): Promise<RepricePage>;
}

/** Which charges to give new costs, and how. */
export interface RepriceQuery {
  /** With both times. */
  readonly filter: ChargeFilter;
  /** Also charges that have a cost. */
  readonly includePriced: boolean;
  /** Record nothing. */
  readonly dryRun: boolean;
  readonly reason: string;
  /** The caller's name of the run. */
  readonly runId: string;
  /** 1–10,000. */
  readonly maxCharges: number;
  /** Start after this place; undefined: at the start. */
  readonly after: ListPosition | undefined;
  readonly allowClosedPeriod: boolean;
}

/** Who asks for a page of a reprice: it ends if nobody waits for it. The context of a call is one. */
export interface RepriceCaller extends Administrator {
  /** What is left of the caller's time. The page ends in the first half of it. */
  readonly timeoutMs?: number | undefined;
}

/** What one page of a reprice did. */
export interface RepricePage {
  readonly totals: RepriceTotals;
  /** The number of the last event that it added to the journal; 0: none. */
  readonly lastSequence: bigint;
  /** Go on after this place; undefined: nothing follows. */
  readonly next: ListPosition | undefined;
}

/** Counts the charges without a cost. Rejects with a {@link ServiceError}, as {@link ChargeReader}. */
export interface UnpricedUsageReader {
  /** At most `limit` usages, those of the most charges first. Charges that were voided or amended do not count. */
  read(
    tenant: string,
    range: Pick<ChargeFilter, 'startTimeMicros' | 'endTimeMicros'>,
    limit: number,
    options?: ReadOptions,
  ): Promise<UnpricedUsages>;
}

/** The charges of a time range without a cost. */
export interface UnpricedUsages {
  readonly usages: readonly UnpricedUsage[];
  /** All charges with a cost. */
  readonly pricedCharges: bigint;
  /** All charges without one. */
  readonly unpricedCharges: bigint;
}

/** Charges without a cost that one price could cover. */
export interface UnpricedUsage extends Pick<
  Charge,
  | 'provider'
  | 'otherProvider'
  | 'chargeType'
  | 'model'
  | 'serviceTier'
  | 'region'
  | 'unpricedReason'
  | 'unpricedKinds'
> {
  readonly charges: bigint;
  readonly firstUsageTimeMicros: bigint;
  readonly lastUsageTimeMicros: bigint;
}
