/** Answers questions about usage, from kept sums and charges. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import { ServiceError } from '../../errors/failure.ts';
import { asOfOutOfRange, scanLimitExceeded } from '../errors.ts';
import { planUsage, type UsagePlan } from '../plan.ts';
import type { UsagePage, UsageReader } from '../ports.ts';
import type { UsageQuery } from '../usage.ts';
import { conditionParameters } from './conditions.ts';
import { type RawUsageRow, usageRows } from './rows.ts';
import { endOf, startOf, type Statement, usageStatement } from './usage-statement.ts';

/** Charges that one question may read: about two seconds of work. */
export const SCAN_CHARGES_MAX = 1_000_000;

/** The read side on connections that it does not own. */
export function createUsageReader(reads: ReadConnections, scanMax = SCAN_CHARGES_MAX): UsageReader {
  return {
    page: (tenant, page, timeoutMs) =>
      reads.use(async (em) => {
        const { query, bounds } = page;
        const plan = planUsage(query, bounds);
        await checkScan(em, tenant, query, plan, scanMax);
        return toPage(query, await run(em, usageStatement(tenant, { ...page, plan })));
      }, timeoutMs),
    async *stream(tenant, { query, bounds }) {
      const plan = planUsage(query, bounds);
      await reads.use((em) => checkScan(em, tenant, query, plan, scanMax));
      const options = { query, bounds, plan, limit: undefined, after: undefined };
      const { sql, parameters } = usageStatement(tenant, options);
      for await (const rows of reads.stream<RawUsageRow>(sql, parameters, STREAM_ROWS)) {
        yield toPage(query, rows);
      }
    },
  };
}

/** Rows of a page of a stream. */
const STREAM_ROWS = 500;

/** The filters with an index of their own, in the order in which PostgreSQL would use them. */
const INDEXED = [
  ['importId', 'import_id'],
  ['reference', 'reference'],
  ['sessionKey', 'session_key'],
  ['userProfile', 'user_profile'],
] as const;

/** Counts what the plan reads, but not further than the limit: it takes 0.1 µs a charge. */
async function checkScan(
  em: EntityManager,
  tenant: string,
  { filter }: UsageQuery,
  { charges }: UsagePlan,
  scanMax: number,
): Promise<void> {
  if (charges.length === 0) return;
  const indexed = INDEXED.find(([member]) => filter[member]);
  const condition = indexed === undefined ? 'true' : `charge.${indexed[1]} = :${indexed[0]}`;
  const [row] = await run<{ readonly charges: string }>(em, {
    sql: `SELECT count(*) AS charges FROM (
        SELECT FROM unnest(:starts::timestamptz[], :ends::timestamptz[]) AS part (start_time, end_time)
        JOIN charge ON charge.tenant = :tenant AND ${condition}
          AND charge.usage_time >= part.start_time AND charge.usage_time < part.end_time
        LIMIT :limit
      ) AS charge`,
    parameters: {
      tenant,
      ...conditionParameters(filter),
      starts: charges.map(startOf),
      ends: charges.map(endOf),
      limit: scanMax + 1,
    },
  });
  if (Number(row?.charges) > scanMax) throw new ServiceError(scanLimitExceeded(scanMax));
}

function toPage(query: UsageQuery, rows: readonly RawUsageRow[]): UsagePage {
  const head = BigInt(rows[0]?.head ?? 0);
  const { asOfSequence = head } = query;
  if (asOfSequence > head) throw new ServiceError(asOfOutOfRange(asOfSequence, head));
  return { rows: usageRows(query, rows), asOfSequence };
}

function run<Row = RawUsageRow>(em: EntityManager, { sql, parameters }: Statement): Promise<Row[]> {
  return em.execute<Row[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
}
