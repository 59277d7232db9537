/** What PostgreSQL itself refuses to the service's sessions, whatever the code says. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { Database } from '../../src/database/orm.ts';
import type { ReadConnections } from '../../src/database/read-connections.ts';
import { isolationFault, SERVICE_ROLE, TABLE_PRIVILEGES } from '../../src/database/service-role.ts';
import { setTenant } from '../../src/database/tenant.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { createTestDatabase, query } from '../support/database.ts';
import { chargeRequest, openTestDatabase, openTestStore, type TestStore } from '../support/store.ts';

let store: TestStore;
/** A pool of one session of the service. */
let service: Database;
beforeAll(async () => {
  store = await openTestStore();
  service = await openTestDatabase(store.url, { poolSizeMax: 1 });
  for (const tenant of ['acme', 'globex']) {
    await query(
      store.url,
      `INSERT INTO journal_head (tenant, last_sequence) VALUES ('${tenant}', 0)`,
      `INSERT INTO tenant_lock VALUES ('${tenant}')`,
      `INSERT INTO usage_cursor VALUES ('${tenant}', 0)`,
      `INSERT INTO tenant (tenant, create_time) VALUES ('${tenant}', now())`,
    );
    await store.writer.record(tenant, [chargeRequest('one'), chargeRequest('two')]);
  }
});
afterAll(async () => {
  await service.close();
  await store.close();
});

const REFUSED = { code: '42501' };

/** The tables with a column of this name, as the catalog has them. */
async function tenantTables(): Promise<
  { name: string; forced: boolean; policies: number; partition: boolean }[]
> {
  const { rows } = await store.owner.pool.query<Awaited<ReturnType<typeof tenantTables>>[number]>(
    `SELECT relname AS name, relispartition AS partition, relrowsecurity AND relforcerowsecurity AS forced,
       (SELECT count(*)::int FROM pg_policy WHERE polrelid = pg_class.oid) AS policies
     FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE attname = 'tenant' AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1`,
  );
  return rows;
}

/** Runs a statement as the service, in a transaction of the tenant that is taken back. */
async function as(tenant: string | undefined, sql: string): Promise<Record<string, unknown>[]> {
  const client = await service.pool.connect();
  try {
    await client.query(tenant === undefined ? 'BEGIN' : `BEGIN; ${setTenant(tenant)}`);
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

test('every table with a tenant has one policy, which binds its owner too, and privileges of the service', async () => {
  const tables = await tenantTables();
  expect(tables.length).toBeGreaterThan(20);
  expect(tables.filter(({ forced, policies }) => !forced || policies !== 1)).toEqual([]);
  const named = tables.flatMap(({ name, partition }) => (partition ? [] : [name]));
  expect(named.filter((name) => !(name in TABLE_PRIVILEGES))).toEqual([]);
});

test('the sessions of the service work as its role, which is no superuser and owns nothing', async () => {
  expect(await as(undefined, 'SELECT current_user AS role')).toEqual([{ role: SERVICE_ROLE }]);
  expect(await isolationFault(service)).toBeUndefined();
  expect(await isolationFault(store.owner)).toMatch(/is a superuser or has BYPASSRLS/);
});

describe('without a tenant', () => {
  test('every table is empty', async () => {
    for (const { name, partition } of await tenantTables()) {
      if (partition || TABLE_PRIVILEGES[name]?.length === 0) continue;
      expect([name, await as(undefined, `SELECT count(*)::int FROM ${name}`)]).toEqual([
        name,
        [{ count: 0 }],
      ]);
    }
  });

  test('nothing can be inserted', async () => {
    const { rows } = await store.owner.pool.query<{ name: string }>(
      `SELECT name FROM unnest(ARRAY['journal_head', 'tenant_lock', 'usage_cursor']) AS name`,
    );
    for (const { name } of rows) {
      await expect(
        as(undefined, `INSERT INTO ${name} SELECT 'initech' ${name === 'tenant_lock' ? '' : ', 0'}`),
      ).rejects.toMatchObject(REFUSED);
    }
  });
});

describe('with a tenant', () => {
  test('the rows of others cannot be seen', async () => {
    expect(await as('acme', 'SELECT DISTINCT tenant FROM charge')).toEqual([{ tenant: 'acme' }]);
    expect(await as('acme', `SELECT FROM charge WHERE tenant = 'globex'`)).toEqual([]);
    expect(await as('acme', `SELECT FROM journal WHERE tenant = 'globex'`)).toEqual([]);
    expect(await as('globex', 'SELECT tenant FROM journal_head')).toEqual([{ tenant: 'globex' }]);
    expect(await store.reader.findByRequestId('acme', 'one')).toMatchObject({ tenant: 'acme' });
  });

  test('rows of others cannot be inserted, and none can be moved to another tenant', async () => {
    await expect(as('acme', `INSERT INTO usage_cursor VALUES ('initech', 0)`)).rejects.toMatchObject(REFUSED);
    await expect(as('acme', `UPDATE tenant_lock SET tenant = 'initech'`)).rejects.toMatchObject(REFUSED);
    await expect(
      as('acme', `INSERT INTO journal SELECT 'globex', 99, kind, event_ids FROM journal`),
    ).rejects.toMatchObject(REFUSED);
  });

  test('rows of others cannot be updated', async () => {
    const moved = `UPDATE journal_head SET last_sequence = 99 WHERE tenant = 'globex' RETURNING tenant`;
    expect(await as('acme', moved)).toEqual([]);
    expect(await as('globex', moved)).toEqual([{ tenant: 'globex' }]);
  });

  test('a function that removes charges removes none of another tenant', async () => {
    const { rows } = await store.owner.pool.query<{ id: string }>(
      `SELECT id FROM charge WHERE tenant = 'globex'`,
    );
    const ids = rows.map(({ id }) => `'${id}'`).join(', ');
    const remove = `SELECT archive_charges(ARRAY[${ids}]::uuid[])`;
    for (const tenant of ['acme', undefined]) {
      const client = await service.pool.connect();
      await client.query(tenant === undefined ? 'BEGIN' : `BEGIN; ${setTenant(tenant)}`);
      await client.query(`${remove}; COMMIT`);
      client.release();
    }
    const left = await store.owner.pool.query(`SELECT FROM charge WHERE tenant = 'globex'`);
    expect(left.rowCount).toBe(2);
    const own = await inTransaction(
      service,
      'globex',
      async ({ client }) => {
        await client.query(remove);
        return (await client.query('SELECT FROM charge')).rowCount;
      },
      () => undefined,
    );
    expect(own).toBe(0);
  });
});

describe('the past', () => {
  const appendOnly = Object.entries(TABLE_PRIVILEGES).filter(([, may]) =>
    may.every((privilege) => privilege === 'SELECT' || privilege === 'INSERT'),
  );
  test.each(appendOnly.map(([table]) => table))('may not be changed by the service: %s', async (table) => {
    for (const sql of [`UPDATE ${table} SET tenant = tenant`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
      await expect(as('acme', sql)).rejects.toMatchObject({
        ...REFUSED,
        message: `permission denied for table ${table}`,
      });
    }
  });

  test('is what has no other privilege: charges, the journal, prices, corrections, the audit log', () => {
    const tables = appendOnly.map(([table]) => table);
    expect(tables).toEqual(
      expect.arrayContaining(['charge', 'journal', 'price', 'correction', 'cost_revision', 'audit_entry']),
    );
  });
});

test('a session has no tenant left after a read, a transaction and a write of a call, also if they fail', async () => {
  const tenantOf = async () =>
    (
      await service.pool.query<{ tenant: string | null }>(
        `SELECT current_setting('charge.tenant', true) AS tenant`,
      )
    ).rows[0]?.tenant ?? '';
  await inTransaction(
    service,
    'acme',
    ({ client }) => client.query('SELECT 1'),
    () => undefined,
  );
  expect(await tenantOf()).toBe('');
  const failing = inTransaction(
    service,
    'acme',
    ({ client }) => client.query('SELECT 1 / 0'),
    () => undefined,
  );
  await expect(failing).rejects.toMatchObject({ code: '22012' });
  expect(await tenantOf()).toBe('');
});

test('a read that names no tenant does not compile', () => {
  const forgotten = (reads: ReadConnections): void => {
    // @ts-expect-error the tenant is missing
    void reads.use((em: unknown) => Promise.resolve(em));
    // @ts-expect-error the tenant is missing
    void reads.snapshot((em: unknown) => Promise.resolve(em));
    // @ts-expect-error the tenant is missing
    void inTransaction(
      service,
      () => Promise.resolve(),
      () => undefined,
    );
  };
  expect(forgotten).toBeDefined();
});

test('an owner who may make no role works on as the owner, whom row-level security binds too', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const login = `owner_${name.slice(-12)}`;
  const url = new URL(database.url);
  [url.username, url.password] = [login, 'p'];
  try {
    await query(
      database.url,
      `CREATE ROLE ${login} LOGIN PASSWORD 'p'`,
      `GRANT CREATE ON SCHEMA public TO ${login}`,
    );
    const { migrate } = await import('../../src/database/migrate.ts');
    await migrate(url.href, { lockTimeoutMs: 30_000 });
    const owned = await openTestDatabase(url.href);
    try {
      expect(await isolationFault(owned)).toMatch(`"${login}" owns the tables, and could change the past`);
      expect((await owned.pool.query('SELECT FROM journal_head')).rowCount).toBe(0);
      await query(database.url, `GRANT ${SERVICE_ROLE} TO ${login}`);
      const granted = await openTestDatabase(url.href);
      expect(await isolationFault(granted).finally(() => granted.close())).toBeUndefined();
    } finally {
      await owned.close();
    }
  } finally {
    await database.drop();
    await query(process.env['TEST_POSTGRES_URL'] ?? '', `DROP ROLE IF EXISTS ${login}`);
  }
});
