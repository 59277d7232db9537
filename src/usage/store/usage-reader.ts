/** Answers questions about usage, from kept sums and charges. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { inRange } from '../../charges/index.ts';
import type { ReadConnections, Statement } from '../../database/read-connections.ts';
import { ServiceError } from '../../errors/failure.ts';
import { asOfOutOfRange, scanLimitExceeded } from '../errors.ts';
import { chargesOnly, planUsage, type UsagePlan } from '../plan.ts';
import type { UsageReader } from '../ports.ts';
import type { UsageQuery } from '../usage.ts';
import { checkArchive } from './check-archive.ts';
import { conditionParameters, indexedOf } from './conditions.ts';
import { type RawUsageRow, usageRows } from './rows.ts';
import { readJournalState } from './journal-state.ts';
import { endOf, startOf, usageStatement, type UsageStatementOptions } from './usage-statement.ts';

/** Charges that one question may read: about three seconds of work. */
export const SCAN_CHARGES_MAX = 1_000_000;

/** The read side on connections that it does not own. */
export function createUsageReader(reads: ReadConnections, scanMax = SCAN_CHARGES_MAX): UsageReader {
  return {
    page: (tenant, { query, bounds, limit, after }, timeoutMs) =>
      reads.snapshot(
        tenant,
        async (em) => {
          const { statement, asOfSequence } = await prepare(
            em,
            tenant,
            { query, bounds, limit, after },
            scanMax,
          );
          return { rows: usageRows(query, await run(em, statement)), asOfSequence };
        },
        timeoutMs,
      ),
    async *stream(tenant, { query, bounds }) {
      let asOfSequence = 0n;
      const options = { query, bounds, limit: undefined, after: undefined };
      const pages = reads.stream<RawUsageRow>(
        tenant,
        async (em) => {
          const prepared = await prepare(em, tenant, options, scanMax);
          ({ asOfSequence } = prepared);
          return prepared.statement;
        },
        STREAM_ROWS,
      );
      for await (const rows of pages) yield { rows: usageRows(query, rows), asOfSequence };
    },
  };
}

/** Rows of a page of a stream. */
const STREAM_ROWS = 500;

/** The statement for a question in the snapshot of `em`, and the number that its answer is true for. */
async function prepare(
  em: EntityManager,
  tenant: string,
  options: Omit<UsageStatementOptions, 'plan'>,
  scanMax: number,
): Promise<{ readonly statement: Statement; readonly asOfSequence: bigint }> {
  const { query, bounds } = options;
  const state = await readJournalState(em, tenant);
  const asOfSequence = query.asOfSequence ?? state.head;
  if (asOfSequence > state.head) throw new ServiceError(asOfOutOfRange(asOfSequence, state.head));
  const plan = state.cursor === undefined ? chargesOnly(query) : planUsage(query, bounds);
  await checkArchive(em, tenant, plan, asOfSequence);
  await checkScan(em, tenant, query, plan, scanMax);
  return { statement: usageStatement(tenant, state, { ...options, plan }), asOfSequence };
}

/** Counts what the plan reads, but not further than the limit: it takes 0.1 µs a charge. */
async function checkScan(
  em: EntityManager,
  tenant: string,
  { filter }: UsageQuery,
  { charges, moved }: UsagePlan,
  scanMax: number,
): Promise<void> {
  const read = [...charges, ...moved];
  if (read.length === 0) return;
  const [row] = await run<{ readonly charges: string }>(em, {
    sql: `SELECT count(*) AS charges FROM (
        SELECT FROM unnest(:starts::timestamptz[], :ends::timestamptz[]) AS part (start_time, end_time)
        CROSS JOIN LATERAL (SELECT FROM charge WHERE ${inRange('part', indexedOf(filter))} OFFSET 0) AS charge
        LIMIT :limit
      ) AS charge`,
    parameters: {
      tenant,
      ...conditionParameters(filter),
      starts: read.map(startOf),
      ends: read.map(endOf),
      limit: scanMax + 1,
    },
  });
  if (Number(row?.charges) > scanMax) throw new ServiceError(scanLimitExceeded(scanMax));
}

function run<Row = RawUsageRow>(em: EntityManager, { sql, parameters }: Statement): Promise<Row[]> {
  return em.execute<Row[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
}
