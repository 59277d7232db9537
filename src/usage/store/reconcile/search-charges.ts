/** Finds the charges that the journal does not record exactly once, and records those that it does not have. */

import { appendEvents, JOURNAL_KIND, lockTenant } from '../../../journal/index.ts';
import { microsFromTimestamptz } from '../../../database/types/micros.ts';
import { type CheckRun, FINDING } from '../../reconcile.ts';
import { DAY_MICROS, floorTo } from '../../windows.ts';
import { eventFinding } from './event-finding.ts';
import type { IdGroup } from './id-groups.ts';
import { SEARCH_GROUP } from './journal-statements.ts';
import type { ReconcileSession } from './session.ts';

interface FoundCharge {
  readonly id: string;
  /** NULL: the journal does not record it. */
  readonly count: string | null;
  readonly first: string | null;
  readonly last: string | null;
  /** Not NULL: it replaces this charge. */
  readonly amends: string | null;
  /** NULL: it is archived. */
  readonly usage_time: string | null;
}

/** Charges of one answer, and of one entry of the journal. */
const FOUND_MAX = 500;

/** Looks through the groups. `head`: the last number of the journal that was looked at before. */
export async function searchCharges(
  session: ReconcileSession,
  run: CheckRun,
  groups: readonly IdGroup[],
  head: bigint,
): Promise<void> {
  for (const { name, first, last } of groups) {
    let after: string | undefined = `${name}${'00-0000-0000-0000-000000000000'}`;
    const upTo = `${name}ff-ffff-ffff-ffff-ffffffffffff`;
    while (after !== undefined && !run.signal.aborted) {
      const range = { tenant: run.tenant, after, upTo, first, last, head, limit: FOUND_MAX };
      const found: FoundCharge[] = await session.read<FoundCharge>(SEARCH_GROUP, range);
      await reportCharges(session, run, found);
      after = found.length === FOUND_MAX ? found.at(-1)?.id : undefined;
    }
  }
}

async function reportCharges(
  session: ReconcileSession,
  run: CheckRun,
  found: readonly FoundCharge[],
): Promise<void> {
  // A replacement without its event lacks the event of the correction, which takes the other charge out.
  const lacking = found.filter(({ count, amends, usage_time }) => !count && !amends && usage_time);
  const recorded = run.repair && lacking.length > 0 ? await record(session, run.tenant, lacking) : NOTHING;
  for (const charge of found) {
    if (charge.count === null) {
      const dayMicros = charge.usage_time
        ? { dayMicros: floorTo(microsFromTimestamptz(charge.usage_time), DAY_MICROS) }
        : {};
      const repaired = recorded.has(charge.id);
      await run.finding({
        ...eventFinding(FINDING.chargeWithoutEvent, charge.id, 0n),
        ...dayMicros,
        repaired,
      });
    } else {
      const [first, last] = [BigInt(charge.first ?? 0), BigInt(charge.last ?? 0)];
      await run.finding(eventFinding(FINDING.eventDoubled, charge.id, first, last));
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/**
 * Nothing else adds events of charges that exist, and one run at a time does. The lock of the tenant keeps archives away,
 * so that no event of a charge is added that was removed meanwhile. Resolves to the charges that have their event now.
 */
async function record(
  session: ReconcileSession,
  tenant: string,
  charges: readonly FoundCharge[],
): Promise<ReadonlySet<string>> {
  let ids: string[] = [];
  await session.repair('journal', async ({ client, em }) => {
    await lockTenant(client, tenant);
    const rows = await em.execute<{ id: string }[]>(
      'SELECT id FROM charge WHERE tenant = :tenant AND id = ANY (:ids::uuid[]) ORDER BY id',
      { tenant, ids: charges.map(({ id }) => id) },
      { loggerContext: em.getLoggerContext() },
    );
    ids = rows.map(({ id }) => id);
    if (ids.length === 0) return undefined;
    const last = await appendEvents(em, tenant, JOURNAL_KIND.created, ids);
    const first = last - BigInt(ids.length - 1);
    return { charges: String(ids.length), first_sequence: String(first), last_sequence: String(last) };
  });
  return new Set(ids);
}
