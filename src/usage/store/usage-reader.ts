/** Answers questions about usage, from kept sums and charges. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { inRange } from '../../charges/index.ts';
import type { ReadConnections, Statement } from '../../database/read-connections.ts';
import { ServiceError } from '../../errors/failure.ts';
import { asOfOutOfRange, scanLimitExceeded } from '../errors.ts';
import { chargesOnly, planUsage, scanCause, type UsagePlan } from '../plan.ts';
import type { UsagePage, UsageReader } from '../ports.ts';
import type { UsageQuery } from '../usage.ts';
import { checkArchive } from './check-archive.ts';
import { conditionParameters, indexedOf } from './conditions.ts';
import { type RawUsageRow, usageRows } from './rows.ts';
import { readJournalState } from './journal-state.ts';
import { endOf, startOf, usageStatement, type UsageStatementOptions } from './usage-statement.ts';

/**
 * Charges that one question may read. PostgreSQL needs some microseconds for each, so the heaviest question takes it a
 * few seconds. A process answers one at a time while 16 wait: the last of them gets its answer in about a minute, which
 * is as long as callers wait.
 */
export const SCAN_CHARGES_MAX = 1_000_000;

/** The read side on connections that it does not own. */
export function createUsageReader(reads: ReadConnections, scanMax = SCAN_CHARGES_MAX): UsageReader {
  return {
    page: (tenant, { query, bounds, limit, after }, timeoutMs) =>
      reads.snapshot(
        tenant,
        async (em) => {
          const options = { query, bounds, limit, after };
          const { statement, ...answer } = await prepare(em, tenant, options, scanMax);
          return { rows: usageRows(query, await run(em, statement)), ...answer };
        },
        timeoutMs,
      ),
    async *stream(tenant, { query, bounds }) {
      let answer: Omit<UsagePage, 'rows'> = { asOfSequence: 0n, archiveEndMicros: undefined };
      const options = { query, bounds, limit: undefined, after: undefined };
      const pages = reads.stream<RawUsageRow>(
        tenant,
        async (em) => {
          const { statement, ...rest } = await prepare(em, tenant, options, scanMax);
          answer = rest;
          return statement;
        },
        STREAM_ROWS,
      );
      for await (const rows of pages) yield { rows: usageRows(query, rows), ...answer };
    },
  };
}

/** Rows of a page of a stream. */
const STREAM_ROWS = 500;

/** The statement for a question in the snapshot of `em`, and what its answer is true for. */
async function prepare(
  em: EntityManager,
  tenant: string,
  options: Omit<UsageStatementOptions, 'plan'>,
  scanMax: number,
): Promise<{ readonly statement: Statement } & Omit<UsagePage, 'rows'>> {
  const { query, bounds } = options;
  const state = await readJournalState(em, tenant);
  const asOfSequence = query.asOfSequence ?? state.head;
  if (asOfSequence > state.head) throw new ServiceError(asOfOutOfRange(asOfSequence, state.head));
  const plan = state.cursor === undefined ? chargesOnly(query) : planUsage(query, bounds);
  const archiveEndMicros = await checkArchive(em, tenant, plan, asOfSequence);
  if ((await countScanned(em, tenant, query, plan, scanMax + 1)) > scanMax) {
    const cause = state.cursor === undefined ? 'no sums' : scanCause(query);
    throw new ServiceError(scanLimitExceeded(scanMax, cause));
  }
  return { statement: usageStatement(tenant, state, { ...options, plan }), asOfSequence, archiveEndMicros };
}

/** Counts the charges that the plan reads, but not further than `limit`: it takes 0.1 µs a charge. */
async function countScanned(
  em: EntityManager,
  tenant: string,
  { filter }: UsageQuery,
  { charges, moved }: UsagePlan,
  limit: number,
): Promise<number> {
  const read = [...charges, ...moved];
  if (read.length === 0) return 0;
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
      limit,
    },
  });
  return Number(row?.charges);
}

function run<Row = RawUsageRow>(em: EntityManager, { sql, parameters }: Statement): Promise<Row[]> {
  return em.execute<Row[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
}
