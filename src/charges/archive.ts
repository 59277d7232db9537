/** The rules of archiving: which charges may be removed, and how callers hear why one may not. */

import type { Failure } from '../errors/failure.ts';
import { rfc3339 } from '../grpc/timestamp.ts';
import type { ClosedPeriod } from './charge.ts';
import { type ArchiveFault, chargesNotArchivable } from './errors.ts';

/**
 * How long before the close of a period a charge must have been recorded, so that the number of its event is certainly
 * not after the close. The time in its id is that of its arrival, by the clock of a server process. It is committed a
 * little later: it may wait for a writer, a statement takes up to 30 s, and what fails is tried again for 5 s. The
 * time of the close is by the clock of PostgreSQL, and clocks differ.
 */
export const RECORDED_BEFORE_CLOSE_MICROS = 10n * 60n * 1_000_000n;

/** A closed period, and when that was. */
export interface PeriodClose extends ClosedPeriod {
  readonly createTimeMicros: bigint;
}

type Cause = ArchiveFault['cause'];

/** What decides whether a charge may be archived. */
export interface Candidate {
  readonly id: string;
  /** Undefined: there is no such charge. */
  readonly charge:
    | {
        readonly usageTimeMicros: bigint;
        readonly createTimeMicros: bigint;
        /** The number of its correction or of its last new cost, whichever is later; 0: it has neither. */
        readonly lastChangeSequence: bigint;
      }
    | undefined;
}

/** How far the events of a tenant are processed. */
export interface Progress {
  /** The last number that the relay has published. */
  readonly published: bigint;
  /** The last number that is in the sums of usage. */
  readonly summed: bigint;
  /** The last number that a repair has given to an event of an old charge; 0: none. */
  readonly repaired: bigint;
}

/**
 * Why these charges must not be archived; undefined: they may. `closed`: the first closed period that ends at
 * `endTimeMicros` or later. Then every event about them has a number up to that of the close, and somebody else has
 * got what it says: readers of later numbers need none of them.
 */
export function refusalToArchive(
  endTimeMicros: bigint,
  closed: PeriodClose | undefined,
  progress: Progress,
  candidates: readonly Candidate[],
): Failure | undefined {
  if (closed === undefined) return chargesNotArchivable([periodNotClosed(endTimeMicros)]);
  const faults = [...progressFaults(closed, progress), ...chargeFaults(endTimeMicros, closed, candidates)];
  return faults.length === 0 ? undefined : chargesNotArchivable(faults);
}

/** No closed period ends at this time or later. */
function periodNotClosed(endTimeMicros: bigint): ArchiveFault {
  const end = rfc3339(endTimeMicros);
  return {
    cause: 'PERIOD_NOT_CLOSED',
    text: `Usage before ${end} is not closed: close the period first`,
    metadata: { end_time: end },
  };
}

function progressFaults(
  { sequence }: PeriodClose,
  { published, summed, repaired }: Progress,
): ArchiveFault[] {
  const faults: ArchiveFault[] = [];
  if (repaired > sequence) {
    const text = `The period was closed at event ${sequence}, and a repair of the journal has added events of older charges up to ${repaired}: use a later closed period`;
    faults.push({ cause: 'RECORDED_TOO_LATE', text, metadata: { sequence: String(sequence) } });
  }
  if (published < sequence) {
    const text = `The period was closed at event ${sequence}, and events are published up to ${published}: see whether the relay works`;
    faults.push({ cause: 'NOT_PUBLISHED', text, metadata: { sequence: String(sequence) } });
  }
  if (summed < sequence) {
    const text = `The period was closed at event ${sequence}, and the sums of usage have events up to ${summed}: try again later`;
    faults.push({ cause: 'NOT_SUMMED', text, metadata: { sequence: String(sequence) } });
  }
  return faults;
}

/** One for each cause that charges give, with the first of them. */
function chargeFaults(
  endTimeMicros: bigint,
  closed: PeriodClose,
  candidates: readonly Candidate[],
): ArchiveFault[] {
  const byCause = Map.groupBy(candidates, (one) => causeOf(one, endTimeMicros, closed));
  const end = rfc3339(endTimeMicros);
  const closedAt = rfc3339(closed.createTimeMicros);
  const texts: Partial<Record<Cause, string>> = {
    CHARGE_NOT_FOUND: 'do not exist',
    USAGE_TOO_LATE: `were used at ${end} or later`,
    RECORDED_TOO_LATE: `were recorded less than 10 minutes before the period was closed (${closedAt}) or later: use a later closed period`,
    CHANGED_TOO_LATE: `were corrected or repriced after the period was closed (${closedAt}): use a later closed period`,
  };
  return (Object.keys(texts) as Cause[]).flatMap((cause) => {
    const [first, ...others] = byCause.get(cause) ?? [];
    if (first === undefined) return [];
    const charges = String(1 + others.length);
    const text = `${charges} of the charges ${texts[cause]} (the first: ${first.id})`;
    return { cause, text, metadata: { charge_id: first.id, charges } };
  });
}

function causeOf(
  { charge }: Candidate,
  endTimeMicros: bigint,
  { createTimeMicros, sequence }: PeriodClose,
): Cause | undefined {
  if (charge === undefined) return 'CHARGE_NOT_FOUND';
  if (charge.usageTimeMicros >= endTimeMicros) return 'USAGE_TOO_LATE';
  if (charge.createTimeMicros >= createTimeMicros - RECORDED_BEFORE_CLOSE_MICROS) return 'RECORDED_TOO_LATE';
  return charge.lastChangeSequence > sequence ? 'CHANGED_TOO_LATE' : undefined;
}
