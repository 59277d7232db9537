/** Stands between the program and the connections of a pool. */

import type { Pool, PoolClient, QueryConfig } from 'pg';

/** A statement that is about to be sent. */
export interface Intercepted {
  readonly client: PoolClient;
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** pg's own object of a query, which tells its end to its callback. */
interface Submitted extends QueryConfig {
  submit(): unknown;
  callback(error: Error | null | undefined, result?: unknown): void;
}

/**
 * Calls `intercept` for each statement on connections of the pool. `send` runs the statement; what `intercept` resolves
 * to or rejects with is what the program gets. Returns what ends it.
 */
export function interceptQueries(
  pool: Pool,
  intercept: (statement: Intercepted, send: () => Promise<unknown>) => Promise<unknown>,
): () => void {
  const clients = new Set<PoolClient>();
  const connect = pool.connect.bind(pool);
  pool.connect = (async () => {
    const client = await connect();
    if (clients.has(client)) return client;
    clients.add(client);
    const query = client.query.bind(client) as (statement: unknown) => Promise<unknown>;
    client.query = ((statement: string | QueryConfig | Submitted) => {
      const { text: sql, values = [] } = typeof statement === 'string' ? { text: statement } : statement;
      const intercepted = { client, sql, values: values as unknown[] };
      if (typeof statement === 'string' || !('submit' in statement)) {
        return intercept(intercepted, () => query(statement));
      }
      const told = statement.callback.bind(statement);
      const sent = () =>
        new Promise((resolve, reject) => {
          statement.callback = (error, result) => (error ? reject(error) : resolve(result));
          void query(statement);
        });
      void intercept(intercepted, sent).then((result) => told(null, result), told);
      return statement;
    }) as never;
    return client;
  }) as never;
  return () => {
    pool.connect = connect;
    // Uncovers the method of the class.
    for (const client of clients) delete (client as { query?: unknown }).query;
  };
}
