/** Counts the charges without a cost. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import { microsFromTimestamptz, timestamptzFromMicros } from '../../database/types/micros.ts';
import { SERVICE_TIER_STANDARD } from '../charge.ts';
import type { UnpricedUsage, UnpricedUsageReader, UnpricedUsages } from '../ports.ts';
import { currentCost } from './current-charges.ts';

/** The read side on connections that it does not own. */
export function createUnpricedUsageReader(reads: ReadConnections): UnpricedUsageReader {
  return {
    read: (tenant, range, limit, { timeoutMs } = {}) =>
      reads.use(tenant, (em) => readUsages(em, tenant, range, limit), timeoutMs),
  };
}

/**
 * Charges, corrections and the latest revisions are joined as wholes: a look-up for each charge takes three times as
 * long for all charges of a tenant. The totals are there even if no usage is.
 */
const UNPRICED_USAGES = `
WITH latest AS (
  SELECT DISTINCT ON (charge_id) charge_id, unpriced_reason, unpriced_kinds
  FROM cost_revision WHERE tenant = :tenant ORDER BY charge_id, revision DESC
), usage AS (
  SELECT ${currentCost('unpriced_reason')} AS reason,
    count(*) AS charges,
    bit_or(${currentCost('unpriced_kinds')}) AS kinds,
    min(usage_time) AS first_usage_time, max(usage_time) AS last_usage_time,
    provider, other_provider, charge_type, model, service_tier, region
  FROM charge LEFT JOIN latest ON latest.charge_id = charge.id
  WHERE charge.tenant = :tenant
    AND charge.usage_time >= :startTime::timestamptz AND charge.usage_time < :endTime::timestamptz
    AND NOT EXISTS (
      SELECT FROM correction WHERE correction.tenant = :tenant AND correction.charge_id = charge.id
    )
  GROUP BY provider, other_provider, charge_type, model, service_tier, region, reason
)
SELECT top.*,
  (SELECT coalesce(sum(charges), 0) FROM usage WHERE reason IS NULL) AS priced_charges,
  (SELECT coalesce(sum(charges), 0) FROM usage WHERE reason IS NOT NULL) AS unpriced_charges
FROM (VALUES (1)) AS always LEFT JOIN LATERAL (
  SELECT * FROM usage WHERE reason IS NOT NULL
  ORDER BY charges DESC, provider, model, first_usage_time LIMIT :limit
) AS top ON true`;

interface Row {
  readonly priced_charges: string;
  readonly unpriced_charges: string;
  /** NULL, like all that follow: there is no usage. */
  readonly reason: number | null;
  readonly kinds: number | null;
  readonly charges: string;
  readonly first_usage_time: string;
  readonly last_usage_time: string;
  readonly provider: number;
  readonly other_provider: string | null;
  readonly charge_type: number;
  readonly model: string | null;
  readonly service_tier: number | null;
  readonly region: string | null;
}

async function readUsages(
  em: EntityManager,
  tenant: string,
  { startTimeMicros, endTimeMicros }: Parameters<UnpricedUsageReader['read']>[1],
  limit: number,
): Promise<UnpricedUsages> {
  const startTime = startTimeMicros === undefined ? '-infinity' : timestamptzFromMicros(startTimeMicros);
  const endTime = endTimeMicros === undefined ? 'infinity' : timestamptzFromMicros(endTimeMicros);
  const rows = await em.execute<Row[]>(
    UNPRICED_USAGES,
    { tenant, startTime, endTime, limit },
    { loggerContext: em.getLoggerContext() },
  );
  return {
    usages: rows.flatMap((row) => (row.reason === null ? [] : [usageOf(row, row.reason)])),
    pricedCharges: BigInt(rows[0]?.priced_charges ?? 0),
    unpricedCharges: BigInt(rows[0]?.unpriced_charges ?? 0),
  };
}

function usageOf(row: Row, unpricedReason: number): UnpricedUsage {
  return {
    provider: row.provider,
    otherProvider: row.other_provider ?? '',
    chargeType: row.charge_type,
    model: row.model ?? '',
    serviceTier: row.service_tier ?? SERVICE_TIER_STANDARD,
    region: row.region ?? '',
    unpricedReason,
    unpricedKinds: row.kinds ?? 0,
    charges: BigInt(row.charges),
    firstUsageTimeMicros: microsFromTimestamptz(row.first_usage_time),
    lastUsageTimeMicros: microsFromTimestamptz(row.last_usage_time),
  };
}
