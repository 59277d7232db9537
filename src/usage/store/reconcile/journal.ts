/** Compares the journal with charges, corrections and new costs, both ways, in short statements. */

import { CHECK, type CheckRun, FINDING, type Finding } from '../../reconcile.ts';
import { archivedOf } from './archived.ts';
import { eventFinding } from './event-finding.ts';
import { IdGroups, type GroupRow } from './id-groups.ts';
import {
  CHARGE_GROUPS,
  EVENTS_PER_STATEMENT,
  FAULTY_EVENTS,
  GAPS,
  NEXT_RANGE,
  nextRows,
  RAISE_HEAD,
  READ_ENDS,
  RECORDED_GROUPS,
  withoutEvent,
} from './journal-statements.ts';
import { searchCharges } from './search-charges.ts';
import type { ReconcileSession } from './session.ts';

/** Compares all of it, up to where the journal is now. What is written meanwhile does not look like a fault. */
export async function reconcileJournal(session: ReconcileSession, run: CheckRun): Promise<void> {
  let isMissing = false;
  const watched: CheckRun = {
    ...run,
    finding: (found) => {
      isMissing ||= found.kind === FINDING.numbersMissing || found.kind === FINDING.headAhead;
      return run.finding(found);
    },
  };
  const end = await checkHead(session, watched);
  const steps = new Steps(run, end);
  const groups = new IdGroups();
  await checkEvents(session, watched, steps, groups, end);
  let charges = 0n;
  await eachRange(session, run, 'charge', EVENTS_PER_STATEMENT * 2, async (range) => {
    let count = 0;
    for (const row of await session.read<GroupRow>(CHARGE_GROUPS, range)) {
      groups.subtract(row);
      count += Number(row.count);
    }
    charges += BigInt(count);
    await steps.add(count);
  });
  // Charges whose events are lost are not new: with other numbers, they would count twice after a restore.
  const repair = run.repair && !isMissing;
  await searchCharges(session, { ...run, repair }, groups.different(), end);
  for (const [table, kind] of TABLES) {
    await eachRange(session, run, table, ROWS_PER_STATEMENT, async (range) => {
      const rows = await session.read<{ id: string; sequence: string }>(withoutEvent(table), range);
      for (const { id, sequence } of rows) await run.finding(eventFinding(kind, id, BigInt(sequence)));
      await steps.add(ROWS_PER_STATEMENT);
    });
  }
  await steps.end();
  run.compared({ check: CHECK.journal, events: end, charges });
}

const TABLES = [
  ['correction', FINDING.correctionWithoutEvent],
  ['cost_revision', FINDING.costRevisionWithoutEvent],
] as const;
/** Each needs a look into the journal. */
const ROWS_PER_STATEMENT = 5_000;

/** Resolves to the last number of the journal. */
async function checkHead(session: ReconcileSession, { tenant, repair, finding }: CheckRun): Promise<bigint> {
  const [row] = await session.read<{ journal: string | null; head: string | null }>(READ_ENDS, { tenant });
  const journal = BigInt(row?.journal ?? 0);
  const head = row?.head ?? null;
  if (head !== null && BigInt(head) === journal) return journal;
  if (head !== null && BigInt(head) > journal) {
    await finding({ kind: FINDING.headAhead, expected: String(journal), found: head });
    return journal;
  }
  const repaired = repair && head !== null;
  if (repaired) await raiseHead(session, tenant, journal);
  await finding({ kind: FINDING.headBehind, repaired, expected: String(journal), found: head ?? '' });
  return journal;
}

async function raiseHead(session: ReconcileSession, tenant: string, journal: bigint): Promise<void> {
  await session.repair('journal', async ({ em }) => {
    const parameters = { tenant, journal };
    const rows = await em.execute<object[]>(RAISE_HEAD, parameters, { loggerContext: em.getLoggerContext() });
    return rows.length > 0 ? { last_sequence: String(journal) } : undefined;
  });
}

/** The numbers of the entries, and what each is about. */
async function checkEvents(
  session: ReconcileSession,
  run: CheckRun,
  steps: Steps,
  groups: IdGroups,
  end: bigint,
): Promise<void> {
  const { tenant } = run;
  const { sequence: archived } = await archivedOf(session.em, tenant);
  for (let after = 0n; after < end && !run.signal.aborted;) {
    const [row] = await session.read<{ up_to: string }>(NEXT_RANGE, { tenant, after, end });
    const upTo = BigInt(row?.up_to ?? end);
    const range = { tenant, after, upTo, archived };
    for (const { expected, found } of await session.read<GapRow>(GAPS, range)) {
      await run.finding(gapFinding(BigInt(expected), BigInt(found)));
    }
    for (const event of await session.read<FaultyEvent>(FAULTY_EVENTS, range)) {
      await run.finding(faultFinding(event));
    }
    for (const group of await session.read<GroupRow>(RECORDED_GROUPS, range)) groups.add(group);
    await steps.add(Number(upTo - after));
    after = upTo;
  }
}

interface GapRow {
  readonly expected: string;
  readonly found: string;
}

interface FaultyEvent {
  readonly sequence: string;
  readonly id: string | null;
  readonly found: string | null;
  readonly missing: boolean;
}

function gapFinding(expected: bigint, found: bigint): Finding {
  return found > expected
    ? { kind: FINDING.numbersMissing, sequences: { first: expected, last: found - 1n } }
    : { kind: FINDING.numbersDoubled, sequences: { first: found, last: expected - 1n } };
}

function faultFinding({ sequence, id, found, missing }: FaultyEvent): Finding {
  const kind = missing ? FINDING.eventWithoutRow : FINDING.eventDiffers;
  const compared = missing ? {} : { expected: sequence, found: found ?? '' };
  return { ...eventFinding(kind, id ?? '', BigInt(sequence)), ...compared };
}

/** Calls `work` for ranges of a table's ids, in order, which cover all ids. */
async function eachRange(
  session: ReconcileSession,
  run: CheckRun,
  table: 'charge' | 'correction' | 'cost_revision',
  limit: number,
  work: (range: Readonly<Record<string, unknown>>) => Promise<void>,
): Promise<void> {
  const { tenant, signal } = run;
  for (let after: string | undefined = FIRST_ID; after !== undefined && !signal.aborted;) {
    const [row]: { id: string }[] = await session.read(nextRows(table, limit), { tenant, after });
    await work({ tenant, after, upTo: row?.id ?? LAST_ID });
    after = row?.id;
  }
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** How far the check is: it looks at each event, and at the row that each is about. */
class Steps {
  readonly #run: CheckRun;
  readonly #total: bigint;
  #done = 0n;

  constructor(run: CheckRun, end: bigint) {
    this.#run = run;
    this.#total = 2n * end;
  }

  async add(count: number): Promise<void> {
    this.#done = this.#done + BigInt(count);
    // What there is besides events is not known before: only the end is all of it.
    const done = this.#done < this.#total ? this.#done : this.#total - 1n;
    await this.#run.progress(CHECK.journal, done, this.#total);
  }

  async end(): Promise<void> {
    await this.#run.progress(CHECK.journal, this.#total, this.#total);
  }
}
