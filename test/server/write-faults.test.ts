/** What a caller, health and readiness hear while PostgreSQL cannot record charges, and that it heals by itself. */

import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import type { CreateChargeResponse, GetChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { runCommand } from '../../src/embedded/command.ts';
import type { DatabaseFault } from '../../src/database/database-fault.ts';
import { migrate } from '../../src/database/migrate.ts';
import { query } from '../embedded/support.ts';
import { createTestDatabase } from '../support/database.ts';
import {
  call,
  createRequest,
  decodeError,
  errorOf,
  openTestServer,
  type TestServer,
} from '../support/server.ts';
import { skipNote } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

/** A server that connects as a role of its own, and a superuser who gets in its way. */
interface Scene {
  readonly database: string;
  readonly role: string;
  readonly admin: (...statements: string[]) => Promise<Record<string, unknown>[]>;
  /** Ends the connections of the service, as a failover does. */
  readonly disconnect: () => Promise<void>;
}

interface Fault {
  readonly name: string;
  readonly break: (scene: Scene) => Promise<unknown>;
  readonly heal: (scene: Scene) => Promise<unknown>;
  readonly problem: string;
  readonly detail: RegExp;
  /** Whether charges can still be read. */
  readonly reads: boolean;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'the database is read-only',
    break: async ({ admin, database, disconnect }) => {
      await admin(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
      await disconnect();
    },
    // The sessions that were opened meanwhile would go on with the old setting.
    heal: ({ admin, database }) =>
      admin(
        'SET default_transaction_read_only = off',
        `ALTER DATABASE ${database} RESET default_transaction_read_only`,
      ),
    problem: 'read-only',
    detail: /cannot execute \w+ in a read-only transaction \(25006\)/,
    reads: true,
  },
  {
    name: 'the table of charges is gone',
    break: ({ admin }) => admin('ALTER TABLE charge RENAME TO gone'),
    heal: ({ admin }) => admin('ALTER TABLE gone RENAME TO charge'),
    problem: 'table missing',
    detail: /relation "charge" does not exist \(42P01\)/,
    reads: false,
  },
  {
    name: 'the counter row of the journal is gone',
    break: ({ admin }) => admin('DELETE FROM journal_head'),
    heal: ({ admin }) =>
      admin(`INSERT INTO journal_head SELECT 'default', coalesce(max(last_sequence), 0) FROM journal`),
    problem: 'damaged journal',
    detail: /null value in column "last_sequence" of relation "journal".* \(23502\)/,
    reads: true,
  },
  {
    name: 'a privilege is missing',
    break: ({ admin, role }) => admin(`REVOKE INSERT ON journal FROM ${role}`),
    heal: ({ admin, role }) => admin(`GRANT INSERT ON journal TO ${role}`),
    problem: 'privilege missing',
    detail: /permission denied for table journal \(42501\)/,
    reads: true,
  },
  {
    name: 'PostgreSQL gives no connection',
    break: async ({ admin, role, disconnect }) => {
      await admin(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
      await disconnect();
    },
    heal: ({ admin, role }) => admin(`ALTER ROLE ${role} CONNECTION LIMIT -1`),
    problem: 'too many connections',
    detail: /too many connections for role ".*" \(53300\)/,
    reads: false,
  },
];

test.concurrent.each(FAULTS)(
  '$name: it is told by its cause, nothing is stored, and it heals',
  (fault) => inScene((scene) => expectToBeToldAndToHeal(scene, fault)),
  120_000,
);

const SMALL_DISK_BYTES = 2 * 1024 * 1024;
const mount = await smallDisk();
afterAll(async () => {
  if (mount.path !== undefined) await runCommand('umount', ['-l', mount.path], { timeoutMs: 10_000 });
});
skipNote('a full disk', mount);
(mount.path === undefined ? test.skip : test.concurrent)(
  'the disk is full (needs the right to mount a tmpfs): it is told by its cause, nothing is stored, and it heals',
  async () => {
    const directory = join(mount.path ?? '', 'tablespace');
    const ballast = join(mount.path ?? '', 'ballast');
    const space = `small_${randomBytes(4).toString('hex')}`;
    await inScene((scene) =>
      expectToBeToldAndToHeal(scene, {
        name: 'the disk is full',
        break: async ({ admin }) => {
          const [row] = await admin('SHOW data_directory');
          const { uid, gid } = statSync(String(row?.['data_directory']));
          mkdirSync(directory, { mode: 0o700 });
          chownSync(directory, uid, gid);
          await admin(`CREATE TABLESPACE ${space} LOCATION '${directory}'`);
          await admin(`ALTER TABLE charge SET TABLESPACE ${space}`);
          expect(() => writeFileSync(ballast, Buffer.alloc(SMALL_DISK_BYTES))).toThrow(/ENOSPC/);
          // Until the page in use is full too, charges can be recorded, and the service is ready.
          const another = `INSERT INTO charge SELECT (jsonb_populate_record(charge, jsonb_build_object(
            'id', gen_random_uuid(), 'request_key', gen_random_uuid()))).* FROM charge LIMIT 1`;
          const fill = async (): Promise<never> => admin(another).then(fill);
          await expect(fill()).rejects.toThrow(/No space left/);
        },
        heal: () => Promise.resolve(rmSync(ballast)),
        problem: 'disk full',
        detail: /could not extend file .*: No space left on device.* \(53100\)/,
        reads: true,
      }),
    );
    await query(process.env['TEST_POSTGRES_URL'] ?? '', `DROP TABLESPACE ${space}`);
  },
  120_000,
);

async function inScene(work: (scene: Scene, url: string) => Promise<void>): Promise<void> {
  const testDatabase = await createTestDatabase();
  const admin = (...statements: string[]) => query(testDatabase.url, ...statements);
  const role = `svc_${randomBytes(6).toString('hex')}`;
  const database = new URL(testDatabase.url).pathname.slice(1);
  await admin(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`, `ALTER DATABASE ${database} OWNER TO ${role}`);
  const scene: Scene = {
    database,
    role,
    admin,
    disconnect: async () => {
      await admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
    },
  };
  try {
    await work(scene, testDatabase.url);
  } finally {
    await testDatabase.drop();
    await query(process.env['TEST_POSTGRES_URL'] ?? '', `DROP ROLE ${role}`);
  }
}

async function expectToBeToldAndToHeal(scene: Scene, fault: Fault): Promise<void> {
  const [at] = await scene.admin('SELECT inet_server_port() AS port');
  const url = `postgresql://${scene.role}:p@127.0.0.1:${String(at?.['port'])}/${scene.database}`;
  await migrate(url, { lockTimeoutMs: 30_000 });
  const told: (DatabaseFault | undefined)[] = [];
  const server = await openTestServer(url, { serving: (change) => told.push(change) });
  try {
    const { charge } = await create(server, 'before');
    await fault.break(scene);
    // The first one may still be sent over a connection that ends.
    await waitFor(
      'a refusal that is certain',
      async () => {
        const refusal = await errorOf(create(server, 'during'));
        expect(refusal).toMatchObject({
          code: 'UNAVAILABLE',
          reason: 'DATABASE_UNAVAILABLE',
          retryDelay: true,
        });
        return refusal.message.includes('Nothing was stored');
      },
      { timeoutMs: 20_000 },
    );
    await waitFor('the fault to be told', () => told.length === 2);
    expect(told[1]?.problem).toBe(fault.problem);
    expect(told[1]?.detail).toMatch(fault.detail);
    const read = await get(server, charge?.id ?? '').catch(decodeError);
    if (fault.reads) expect(read).toEqual({ charge });
    else expect(read).toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' });

    await fault.heal(scene);
    await waitFor('the end of the fault', () => told.length === 3);
    expect(told).toEqual([undefined, told[1], undefined]);
    const later = await create(server, 'during');
    expect(later.replayed).toBe(false);
    expect(await get(server, charge?.id ?? '')).toEqual({ charge });
  } finally {
    await server.close();
  }
}

function create({ client }: TestServer, requestId: string): Promise<CreateChargeResponse> {
  return call((callback) => client.createCharge(createRequest(requestId), callback));
}

function get({ client }: TestServer, id: string): Promise<GetChargeResponse> {
  return call((callback) => client.getCharge({ key: { $case: 'id', value: id } }, callback));
}

/** A disk of its own that is soon full, or why there is none. */
async function smallDisk(): Promise<
  { readonly path: string } | { readonly path: undefined; readonly reason: string }
> {
  const path = join(process.env['CHARGE_TEST_RUN_DIR'] ?? '', `disk-${randomBytes(4).toString('hex')}`);
  mkdirSync(path, { recursive: true, mode: 0o711 });
  const flags = ['-t', 'tmpfs', '-o', `size=${SMALL_DISK_BYTES},mode=711`, 'tmpfs', path];
  try {
    await runCommand('mount', flags, { timeoutMs: 10_000 });
    return { path };
  } catch (error) {
    return {
      path: undefined,
      reason: `a tmpfs cannot be mounted: ${(error as Error).message.split('\n')[0]}`,
    };
  }
}
