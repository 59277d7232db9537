/** What PostgreSQL did for a statement, node by node. */

import type { Pool } from 'pg';

import { setTenant } from '../../src/database/tenant.ts';
import { interceptQueries } from './intercept.ts';

/** One node of a plan, as far as tests look at it. */
export interface PlanNode {
  readonly type: string;
  readonly relation: string | undefined;
  readonly index: string | undefined;
  /** Rows that it gave, of all its loops together. */
  readonly rows: number;
  /** Rows that it looked at: also those that its filter removed. */
  readonly rowsRead: number;
  /** Pages of tables and indexes that it and the nodes below it looked at. */
  readonly blocks: number;
}

interface JsonNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly JsonNode[];
}

/**
 * Runs a statement in a transaction of the tenant and lists the nodes of its plan, parents first. Then takes back what
 * it did. `settings`: SQL of further settings of the transaction.
 */
export async function explain(
  pool: Pool,
  tenant: string,
  { sql, values }: Pick<Statement, 'sql' | 'values'>,
  ...settings: string[]
): Promise<PlanNode[]> {
  const client = await pool.connect();
  try {
    await client.query(['BEGIN', setTenant(tenant), ...settings].join('; '));
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: JsonNode }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`,
      values,
    );
    return rows.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan));
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

function nodesOf(node: JsonNode): PlanNode[] {
  const loops = node['Actual Loops'];
  const rows = Math.round(node['Actual Rows'] * loops);
  const own = {
    type: node['Node Type'],
    relation: node['Relation Name'],
    index: node['Index Name'],
    rows,
    rowsRead: rows + Math.round((node['Rows Removed by Filter'] ?? 0) * loops),
    blocks: node['Shared Hit Blocks'] + node['Shared Read Blocks'],
  };
  return [own, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** A statement as it was sent. */
export interface Statement {
  readonly sql: string;
  readonly values: unknown[];
}

/** The statements that `work` runs on connections of this pool. */
export async function statementsOf(pool: Pool, work: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  const restore = interceptQueries(pool, ({ sql, values }, send) => {
    statements.push({ sql, values: [...values] });
    return send();
  });
  try {
    await work();
    return statements;
  } finally {
    restore();
  }
}

/** The same without the beginnings and ends of transactions. Expects at least one statement. */
export async function readsOf(
  pool: Pool,
  work: () => Promise<unknown>,
): Promise<[Statement, ...Statement[]]> {
  const statements = await statementsOf(pool, work);
  const [first, ...others] = statements.filter(({ sql }) => !/^(BEGIN|COMMIT)/.test(sql));
  if (first === undefined) throw new Error('no statement was sent');
  return [first, ...others];
}
