/** What PostgreSQL did for a statement, node by node. */

import type { Pool, PoolClient, QueryConfig } from 'pg';

/** One node of a plan, as far as tests look at it. */
export interface PlanNode {
  readonly type: string;
  readonly relation: string | undefined;
  readonly index: string | undefined;
  /** Rows that it gave, of all its loops together. */
  readonly rows: number;
  /** Rows that it read and left out, of all its loops together. */
  readonly removed: number;
}

interface JsonNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly JsonNode[];
}

/** Runs a statement on this connection and lists the nodes of its plan, parents first. */
export async function explain(
  client: Pool | PoolClient,
  sql: string,
  values: unknown[] = [],
): Promise<PlanNode[]> {
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: JsonNode }] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
    values,
  );
  return rows.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan));
}

function nodesOf(node: JsonNode): PlanNode[] {
  const own = {
    type: node['Node Type'],
    relation: node['Relation Name'],
    index: node['Index Name'],
    rows: Math.round(node['Actual Rows'] * node['Actual Loops']),
    removed: Math.round((node['Rows Removed by Filter'] ?? 0) * node['Actual Loops']),
  };
  return [own, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** A statement as it was sent. */
export interface Statement {
  readonly sql: string;
  readonly values: unknown[];
  /** How many of the statements before it were answered when it was sent. */
  readonly answeredBefore: number;
}

/** The statements that `work` runs on connections of this pool. */
export async function statementsOf(pool: Pool, work: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  let answered = 0;
  const clients = new Set<PoolClient>();
  const connect = pool.connect.bind(pool);
  pool.connect = (async () => {
    const client = await connect();
    if (clients.has(client)) return client;
    clients.add(client);
    const query = client.query.bind(client) as (statement: string | QueryConfig) => unknown;
    client.query = ((statement: string | QueryConfig) => {
      const { text, values = [] } = typeof statement === 'string' ? { text: statement } : statement;
      statements.push({ sql: text, values: [...(values as unknown[])], answeredBefore: answered });
      return (query(statement) as Promise<unknown>).finally(() => answered++);
    }) as never;
    return client;
  }) as never;
  try {
    await work();
    return statements;
  } finally {
    pool.connect = connect;
    // Uncovers the method of the class.
    for (const client of clients) delete (client as { query?: unknown }).query;
  }
}
