/** The runs of RepriceCharges: who asked for which charges, and why. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Transaction } from '../../database/transaction.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import { ServiceError } from '../../errors/failure.ts';
import { type Actor, appendAuditEntry } from '../../tenants/index.ts';
import { runIdReused } from '../errors.ts';
import type { RepriceQuery } from '../ports.ts';

interface StoredRun {
  readonly run: number;
  readonly reason: string;
  readonly filter: Readonly<Record<string, unknown>>;
}

/** The number of the run that the query names, if it exists. Rejects with `request_id_reused` if it is another run. */
export async function findRun(
  em: EntityManager,
  tenant: string,
  query: RepriceQuery,
): Promise<number | undefined> {
  const [stored] = await em.execute<StoredRun[]>(
    'SELECT run, reason, filter FROM reprice_run WHERE tenant = :tenant AND run_id = :runId',
    { tenant, runId: query.runId },
    { loggerContext: em.getLoggerContext() },
  );
  if (stored === undefined) return undefined;
  const field = firstDifference(stored, query);
  if (field !== undefined) throw new ServiceError(runIdReused(query.runId, field));
  return stored.run;
}

/**
 * Adds the run with its entry in the audit log, unless another transaction has added it, and returns its number. Expects
 * the lock of the tenant.
 */
export async function addRun(
  { em }: Pick<Transaction, 'em'>,
  tenant: string,
  query: RepriceQuery,
  actor: Actor,
): Promise<number> {
  const known = await findRun(em, tenant, query);
  if (known !== undefined) return known;
  const { runId, reason } = query;
  const [added] = await em.execute<Pick<StoredRun, 'run'>[]>(
    `INSERT INTO reprice_run (tenant, run, run_id, reason, filter, create_time)
     SELECT :tenant::text, coalesce(max(run), 0) + 1, :runId::text, :reason::text, :filter::jsonb, clock_timestamp()
     FROM reprice_run WHERE tenant = :tenant
     RETURNING run`,
    { tenant, runId, reason, filter: JSON.stringify(storedFilter(query)) },
    { loggerContext: em.getLoggerContext() },
  );
  await appendAuditEntry({ em }, actor, {
    tenant,
    action: 'charge.v1.PriceService/RepriceCharges',
    target: runId,
    details: auditDetails(query),
  });
  return added?.run ?? 0;
}

/** No filter values and no reason: they may be about a person. The run keeps them, and an erasure finds them there. */
function auditDetails(query: RepriceQuery): ReadonlyMap<string, string> {
  const filters = Object.entries(storedFilter(query)).filter(([, value]) => value !== undefined);
  const names = filters.map(([name]) => name.replace('filter.', '')).filter((name) => !SAID.has(name));
  return new Map([
    ['start_time', timeText(query.filter.startTimeMicros) ?? ''],
    ['end_time', timeText(query.filter.endTimeMicros) ?? ''],
    ['include_priced', String(query.includePriced)],
    ['filters', names.join(', ')],
  ]);
}

const SAID: ReadonlySet<string> = new Set(['start_time', 'end_time', 'include_priced']);

/** What makes the run, apart from its reason, as JSON with the names of the contract. Empty fields are left out. */
function storedFilter({ filter, includePriced }: RepriceQuery): Record<string, unknown> {
  return {
    'filter.user_profile': filter.userProfile,
    'filter.session_key': filter.sessionKey,
    'filter.provider': filter.provider,
    'filter.charge_type': filter.chargeType,
    'filter.model': filter.model,
    'filter.reference': filter.reference,
    'filter.labels': sorted(filter.labels),
    'filter.user_profile_labels': sorted(filter.userProfileLabels),
    'filter.start_time': timeText(filter.startTimeMicros),
    'filter.end_time': timeText(filter.endTimeMicros),
    'filter.import_id': filter.importId,
    include_priced: includePriced,
  };
}

function sorted(labels: ReadonlyMap<string, string> | undefined): Record<string, string> | undefined {
  return labels && Object.fromEntries([...labels].sort());
}

function timeText(micros: bigint | undefined): string | undefined {
  return micros === undefined ? undefined : timestamptzFromMicros(micros);
}

/** In the order of the request's fields. */
function firstDifference(stored: StoredRun, query: RepriceQuery): string | undefined {
  const wanted = storedFilter(query);
  const field = Object.keys(wanted).find((name) => jsonOf(stored.filter[name]) !== jsonOf(wanted[name]));
  return field ?? (stored.reason === query.reason ? undefined : 'reason');
}

/** PostgreSQL keeps the members of an object in an order of its own. */
function jsonOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(JSON.stringify(value));
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
