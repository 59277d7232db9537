/** What this version needs of a PostgreSQL and its database, before it changes anything there. */

import type { ClientBase } from 'pg';

const MAJOR_VERSION_MIN = 15;

/**
 * Throws with what is wrong and what to do: PostgreSQL is too old, the database cannot hold every text, or it was
 * migrated by a newer version of the service. `known` are the names of this version's migrations.
 */
export async function checkServer(
  client: Pick<ClientBase, 'query'>,
  known: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string; name: string; migrated: boolean }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version, current_database() AS name,
            current_setting('server_encoding') AS encoding, to_regclass('migration') IS NOT NULL AS migrated`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('PostgreSQL did not say what it is');
  const { version, encoding, name, migrated } = row;
  if (version < MAJOR_VERSION_MIN) {
    throw new Error(`this is PostgreSQL ${version}, and the service needs ${MAJOR_VERSION_MIN} or newer`);
  }
  if (encoding !== 'UTF8') {
    throw new Error(
      `the database ${name} has the encoding ${encoding}, which cannot hold every text: make another one with ` +
        `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in the URL`,
    );
  }
  if (migrated) await checkMigrations(client, known);
}

async function checkMigrations(client: Pick<ClientBase, 'query'>, known: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM migration WHERE name <> ALL ($1) ORDER BY name LIMIT 1',
    [known],
  );
  const [unknown] = rows;
  if (unknown === undefined) return;
  throw new Error(
    `a newer version of the service has migrated this database (${unknown.name}): start that version, or a newer one`,
  );
}
