/** The one place that reads `DATABASE_URL`. */

/**
 * Settings of every session, as a start-up parameter: a statement at connect would cost a round trip,
 * and a pooler in front of PostgreSQL could give it to another client's session.
 *
 * Every statement has an index whose order it follows. Without these settings:
 * - A prepared statement that was planned while a table had one page reads the whole table after it has
 *   grown.
 * - A bitmap scan loses the order. If the planner expects few matches, it collects and sorts them all for
 *   every page.
 * - Before PostgreSQL 18, a plan that must scan a table counts as so expensive that it is compiled (JIT),
 *   which takes longer than running it.
 */
const SESSION_SETTINGS = '-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off';

/** Where PostgreSQL is, for MikroORM. */
export interface DatabaseAddress {
  readonly dbName: string;
  /** For `pg`, which reads user, password, host, port and its own parameters (`sslmode`, …) from it. */
  readonly connectionString: string;
}

/**
 * Reads `postgresql://user:password@host:port/database?…`. `options` of the URL come after the session
 * settings of this service, so that they win. Throws a TypeError if it is no URL.
 */
export function parseDatabaseUrl(databaseUrl: string): DatabaseAddress {
  const url = new URL(databaseUrl);
  const own = url.searchParams.get('options');
  url.searchParams.set('options', own === null ? SESSION_SETTINGS : `${SESSION_SETTINGS} ${own}`);
  return {
    dbName: decodeURIComponent(url.pathname.slice(1)) || decodeURIComponent(url.username),
    connectionString: url.href,
  };
}
