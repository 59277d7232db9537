/** What a comparison of stored data finds, and the rules of reporting it. */

/** Numbers of `charge.v1.ReconcileCheck`. */
export const CHECK = { sums: 1, journal: 2, stream: 3 } as const;

/** Numbers of `charge.v1.FindingKind`, where each is explained. */
export const FINDING = {
  sumDiffers: 1,
  sumCursorMissing: 2,
  sumCursorAhead: 3,
  numbersMissing: 10,
  numbersDoubled: 11,
  headAhead: 12,
  headBehind: 13,
  eventWithoutRow: 14,
  eventDiffers: 15,
  eventDoubled: 16,
  chargeWithoutEvent: 17,
  correctionWithoutEvent: 18,
  costRevisionWithoutEvent: 19,
  streamUnreadable: 30,
  streamEventsMissing: 31,
  streamEventsDoubled: 32,
  streamMessagesForeign: 33,
} as const;

/** One of {@link FINDING}. */
export type FindingKind = (typeof FINDING)[keyof typeof FINDING];

/** Findings of one kind that are reported one by one; of sums, days of which all are. The others are counted. */
export const NAMED_MAX = 100;

/** Something that does not agree. `charge.v1.ReconcileFinding` explains the members. */
export interface Finding {
  readonly kind: FindingKind;
  readonly repaired?: boolean;
  /** The start of a day of UTC. */
  readonly dayMicros?: bigint | undefined;
  readonly id?: string;
  readonly sequences?: NumberRange;
  readonly streamSequences?: NumberRange;
  readonly sum?: SumDifference;
  readonly expected?: string;
  readonly found?: string;
  readonly detail?: string;
}

/** Numbers from one to another one, with both. */
export interface NumberRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** Which sums of a day differ. */
export interface SumDifference {
  /** One of `ROLLUP_LEVEL`, unless the table has something else. */
  readonly level: number;
  readonly name: string;
  /** Empty: not a sum of costs. */
  readonly currencyCode: string;
  readonly rows: bigint;
  readonly userProfile: string;
  readonly model: string;
}

/** What to compare. */
export interface ReconcileOptions {
  /** Numbers of {@link CHECK}; empty: all. */
  readonly checks: readonly number[];
  /** For the sums; undefined: no bound. */
  readonly startMicros: bigint | undefined;
  readonly endMicros: bigint | undefined;
  readonly repair: boolean;
}

/** Hears what a run finds. A promise that it returns is waited for. */
export interface ReconcileEvents {
  readonly progress: (check: number, done: bigint, total: bigint) => void | Promise<void>;
  readonly finding: (finding: Finding) => void | Promise<void>;
}

/** How much a check has compared. Members that say nothing about it are absent. */
export interface Compared {
  readonly check: number;
  readonly days?: bigint;
  readonly charges?: bigint;
  readonly events?: bigint;
  readonly messages?: bigint;
  /** The starts of the first and the last of the days. */
  readonly dayMicros?: NumberRange | undefined;
}

/** What a run of one check works with. */
export interface CheckRun extends ReconcileEvents {
  /** Hears at the end what was compared. */
  readonly compared: (compared: Compared) => void;
  readonly tenant: string;
  readonly repair: boolean;
  /** Aborted: end after the step in progress. */
  readonly signal: AbortSignal;
}

/** The result of a run. */
export interface ReconcileSummary {
  readonly counts: ReadonlyMap<FindingKind, { readonly found: number; readonly repaired: number }>;
  /** Findings that are not repaired and are drift. */
  readonly drifts: number;
  /** Of each check that was made. */
  readonly compared: readonly Compared[];
  readonly lastSequence: bigint;
}

/** Counts findings, and passes on those that are named. */
export class Findings {
  readonly #counts = new Map<FindingKind, { found: number; repaired: number }>();
  readonly #days = new Set<bigint>();
  readonly #named: (finding: Finding) => void | Promise<void>;

  constructor(named: (finding: Finding) => void | Promise<void>) {
    this.#named = named;
  }

  async add(finding: Finding): Promise<void> {
    const counts = this.#counts.get(finding.kind) ?? { found: 0, repaired: 0 };
    this.#counts.set(finding.kind, counts);
    counts.found++;
    if (finding.repaired) counts.repaired++;
    if (this.#isNamed(finding, counts.found)) await this.#named(finding);
  }

  /** A day whose sums differ has dozens of findings, and one of them alone does not tell how much is wrong. */
  #isNamed({ kind, dayMicros }: Finding, count: number): boolean {
    if (kind !== FINDING.sumDiffers || dayMicros === undefined) return count <= NAMED_MAX;
    if (this.#days.size < NAMED_MAX) this.#days.add(dayMicros);
    return this.#days.has(dayMicros);
  }

  summary(compared: readonly Compared[], lastSequence: bigint): ReconcileSummary {
    let drifts = 0;
    for (const [kind, { found, repaired }] of this.#counts) {
      if (kind !== FINDING.streamEventsDoubled) drifts += found - repaired;
    }
    return { counts: this.#counts, drifts, compared, lastSequence };
  }
}

/** The check that finds a kind. */
export function checkOf(kind: FindingKind): number {
  if (kind >= FINDING.streamUnreadable) return CHECK.stream;
  return kind >= FINDING.numbersMissing ? CHECK.journal : CHECK.sums;
}
