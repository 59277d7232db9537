import { afterEach, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '../../src/embedded/postgres.ts';
import { serverMemoryBytes } from '../../src/embedded/memory.ts';
import { isAlive, stopProcess } from '../../src/embedded/process.ts';
import { waitFor } from '../support/wait-for.ts';
import { freshDirectory, query, recordingLogger, runModule } from './support.ts';

const running: EmbeddedPostgres[] = [];
const settings = { shared_buffers: '16MB' };
const PAGES_PER_MIB = 128;

async function start(
  dataDir: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings, logger: recordingLogger(), ...options });
  running.push(server);
  return server;
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

let template: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const dataDir = freshDirectory();
  const server = await start(dataDir);
  await query(server.url, 'CREATE TABLE kept (value int)', 'INSERT INTO kept VALUES (42)');
  await server.stop();
  return dataDir;
}

/** A data directory whose server was shut down cleanly, with a table to look for. Copied: initdb takes a second. */
async function stopped(): Promise<string> {
  template ??= makeTemplate();
  const dataDir = freshDirectory();
  // With owners, which Node's own copy does not keep.
  await promisify(execFile)('cp', ['-Rp', `${await template}/.`, dataDir]);
  return dataDir;
}

test('keeps data, password and durable settings over a restart', async () => {
  const logger = recordingLogger();
  const dataDir = freshDirectory();
  const first = await start(dataDir, { logger });
  await query(first.url, 'CREATE TABLE kept (value int)', 'INSERT INTO kept VALUES (42)');
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  const second = await start(dataDir, { logger, settings: {} });
  expect(second.adopted).toBe(false);
  expect(await query(second.url, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
  expect(
    await query(
      second.url,
      `SELECT name, setting FROM pg_settings WHERE name IN
       ('fsync', 'synchronous_commit', 'data_checksums', 'listen_addresses', 'server_encoding', 'shared_buffers') ORDER BY name`,
    ),
  ).toEqual([
    { name: 'data_checksums', setting: 'on' },
    { name: 'fsync', setting: 'on' },
    { name: 'listen_addresses', setting: '127.0.0.1' },
    { name: 'server_encoding', setting: 'UTF8' },
    { name: 'shared_buffers', setting: String(Math.floor(serverMemoryBytes() / 1024 ** 2) * PAGES_PER_MIB) },
    { name: 'synchronous_commit', setting: 'on' },
  ]);
  const password = new URL(second.url).password;
  expect(password.length).toBeGreaterThanOrEqual(32);
  expect(statSync(join(dataDir, 'postgres.password')).mode & 0o777).toBe(0o600);
  expect(logger.lines.join('\n')).not.toContain(password);
  expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).not.toContain(password);
});

test('refuses a wrong password and writes no values of failed statements to its log', async () => {
  const dataDir = await stopped();
  const server = await start(dataDir);
  const wrong = new URL(server.url);
  wrong.password = 'wrong';
  await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  await query(
    server.url,
    'CREATE TABLE once (value text PRIMARY KEY)',
    "INSERT INTO once VALUES ('secret-prompt')",
  );
  await expect(query(server.url, "INSERT INTO once VALUES ('secret-prompt')")).rejects.toMatchObject({
    code: '23505',
  });
  const log = readFileSync(join(dataDir, 'postgres.log'), 'utf8');
  expect(log).toContain('duplicate key');
  expect(log).not.toContain('secret-prompt');
});

test('adopts the server that a killed service left behind, and stops it', async () => {
  const dataDir = await stopped();
  // The cluster may be on another disk.
  renameSync(join(dataDir, 'postgres'), join(dataDir, 'elsewhere'));
  symlinkSync('elsewhere', join(dataDir, 'postgres'));
  const { child, line } = await runModule(`
    const { startEmbeddedPostgres } = await import(root + 'src/embedded/postgres.ts');
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, logger });
    console.log(JSON.stringify({ pid: server.pid, url: server.url }));
    setInterval(() => {}, 1000);`);
  const orphan = JSON.parse(line) as { pid: number; url: string };
  await query(orphan.url, 'UPDATE kept SET value = 43');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const server = await start(dataDir);
  expect(server).toMatchObject({ adopted: true, pid: orphan.pid, url: orphan.url });
  expect(await query(server.url, 'SELECT value FROM kept')).toEqual([{ value: 43 }]);
  await server.stop();
  expect(isAlive(orphan.pid)).toBe(false);
  expect(await server.exited).toMatchObject({ expected: true });
});

test('signals to the process group of the service do not reach it', async () => {
  const server = await start(await stopped());
  const groupOf = (pid: number): string | undefined =>
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ')[2];
  expect(groupOf(server.pid)).toBe(String(server.pid));
});

test('recovers after a kill of the server and reports the unexpected exit', async () => {
  const dataDir = await stopped();
  const server = await start(dataDir);
  await query(server.url, 'UPDATE kept SET value = 43');
  process.kill(server.pid, 'SIGKILL');
  expect(await server.exited).toEqual({ expected: false, code: null, signal: 'SIGKILL' });
  const again = await start(dataDir);
  expect(again.adopted).toBe(false);
  expect(await query(again.url, 'SELECT value FROM kept')).toEqual([{ value: 43 }]);
});

describe('with a cluster that was stopped', () => {
  test('starts although postmaster.pid has the id of a dead process, or of another program', async () => {
    const dataDir = await stopped();
    const clusterDir = join(dataDir, 'postgres');
    // It runs as the same user as the server, because PostgreSQL ignores the processes of others.
    const { uid, gid } = statSync(clusterDir);
    const stranger = spawn(
      'sleep',
      ['60'],
      process.geteuid?.() === 0 ? { uid, gid, cwd: '/' } : { cwd: '/' },
    );
    await once(stranger, 'spawn');
    try {
      for (const pid of [2 ** 22 + 1, stranger.pid]) {
        const lines = [pid, clusterDir, 1, 5432, '', '127.0.0.1', '1 1', 'ready   ', ''];
        writeFileSync(join(clusterDir, 'postmaster.pid'), lines.join('\n'));
        const server = await start(dataDir);
        expect(await query(server.url, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
        await server.stop();
      }
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  test("a start with a wrong setting fails with the end of the server's own log", async () => {
    const dataDir = await stopped();
    await expect(start(dataDir, { settings: { no_such_setting: '1' } })).rejects.toThrow(/no_such_setting/);
  });

  test('a port that is taken is the reason of the failed start', async () => {
    const dataDir = await stopped();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      await expect(start(dataDir, { port })).rejects.toThrow(`another program uses port ${port} `);
    } finally {
      other.close();
    }
    expect((await start(dataDir, { port })).port).toBe(port);
  });

  test('another major version and a lost password are explained', async () => {
    const dataDir = await stopped();
    writeFileSync(join(dataDir, 'postgres.password'), '');
    await expect(start(dataDir)).rejects.toThrow(/password .* is missing or empty/);
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '17\n');
    await expect(start(dataDir)).rejects.toThrow(/made by PostgreSQL 17, this is 18/);
  });

  test('stop waits for clients only as long as a fast shutdown takes', async () => {
    const dataDir = await stopped();
    const server = await start(dataDir);
    const sleeping = query(server.url, 'SELECT pg_sleep(9)').catch((error: unknown) => error);
    const active = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    await waitFor('the sleeping query', async () => (await query(server.url, active)).length === 1);
    const startedAtMs = performance.now();
    await Promise.all([server.stop(), server.stop()]);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    expect(await sleeping).toMatchObject({ code: '57P01' });
  });
});

describe('a start that is stopped', () => {
  // A server that recovers for longer than the test: the segment that it asks for takes a minute.
  const recovering = { ...settings, restore_command: 'touch restoring; exec sleep 60' };
  async function beforeRecovery(): Promise<{ dataDir: string; clusterDir: string }> {
    const dataDir = await stopped();
    const clusterDir = join(dataDir, 'postgres');
    const { uid, gid } = statSync(clusterDir);
    writeFileSync(join(clusterDir, 'recovery.signal'), '');
    chownSync(join(clusterDir, 'recovery.signal'), uid, gid);
    return { dataDir, clusterDir };
  }
  const pidIn = (clusterDir: string): number =>
    Number.parseInt(readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8'), 10);

  test('in the middle of initdb leaves no process and no directory', async () => {
    const dataDir = freshDirectory();
    const stopping = new AbortController();
    const failed = start(dataDir, { signal: stopping.signal }).catch((error: unknown) => error);
    // Written by the server that initdb runs.
    const name = await waitFor('initdb', () =>
      readdirSync(dataDir).find(
        (entry) => entry.startsWith('postgres.init-') && existsSync(join(dataDir, entry, 'global')),
      ),
    );
    stopping.abort();
    expect(await failed).toBe(stopping.signal.reason);
    expect(readdirSync(dataDir)).toEqual(['postgres.password']);
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    expect(stdout).not.toContain(name);
  });

  test('in the middle of a recovery shuts the server down cleanly', async () => {
    const { dataDir, clusterDir } = await beforeRecovery();
    const stopping = new AbortController();
    const options = { settings: recovering, signal: stopping.signal };
    const failed = start(dataDir, options).catch((error: unknown) => error);
    await waitFor('the recovery', () => existsSync(join(clusterDir, 'restoring')));
    const pid = pidIn(clusterDir);
    stopping.abort();
    expect(await failed).toBe(stopping.signal.reason);
    expect(isAlive(pid)).toBe(false);
    const log = readFileSync(join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toMatch(/received fast shutdown request.*database system is shut down\n$/s);
    rmSync(join(clusterDir, 'recovery.signal'));
    expect(await query((await start(dataDir)).url, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
  });

  test('leaves alone the server of an earlier run that recovers', async () => {
    const { dataDir, clusterDir } = await beforeRecovery();
    const { child } = await runModule(`
      const { watch } = await import('node:fs');
      watch(${JSON.stringify(clusterDir)}, (_, name) => { if (name === 'restoring') console.log(name); });
      const { startEmbeddedPostgres } = await import(root + 'src/embedded/postgres.ts');
      const options = { dataDir: ${JSON.stringify(dataDir)}, settings: ${JSON.stringify(recovering)} };
      await startEmbeddedPostgres({ ...options, logger: { debug() {}, info() {}, warn() {}, error() {} } });`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const pid = pidIn(clusterDir);
    try {
      const stopping = new AbortController();
      const logger = recordingLogger();
      const failed = start(dataDir, { logger, signal: stopping.signal }).catch((error: unknown) => error);
      await waitFor('the server to be found', () => logger.lines.join().includes('of an earlier run'));
      stopping.abort();
      expect(await failed).toBe(stopping.signal.reason);
      expect(isAlive(pid)).toBe(true);
    } finally {
      await stopProcess('PostgreSQL', pid, [{ signal: 'SIGINT', timeoutMs: 10_000 }]);
    }
  });
});

test('after a kill in the middle of initdb the next start works', async () => {
  const dataDir = freshDirectory();
  const { child } = await runModule(`
    const { watch } = await import('node:fs');
    const dataDir = ${JSON.stringify(dataDir)};
    watch(dataDir, (_, name) => { if (name.startsWith('postgres.init-')) console.log('initdb has begun'); });
    const { startEmbeddedPostgres } = await import(root + 'src/embedded/postgres.ts');
    await startEmbeddedPostgres({ dataDir, logger: { debug() {}, info() {}, warn() {}, error() {} } });`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(dataDir).some((name) => name.startsWith('postgres.init-'))).toBe(true);
  const server = await start(dataDir);
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  // The orphaned initdb may go on writing during the removal. The first start after its end removes everything.
  const removed = async (): Promise<boolean> => {
    await (await start(dataDir)).stop();
    return !readdirSync(dataDir).some((name) => name.startsWith('postgres.init-'));
  };
  await waitFor('a start to remove what initdb has left', removed, { timeoutMs: 30_000 });
});

test('a start removes what a killed initdb has written although the cluster is complete', async () => {
  const dataDir = await stopped();
  const left = join(dataDir, 'postgres.init-0123456789ab');
  mkdirSync(left);
  writeFileSync(join(left, 'PG_VERSION'), '18');
  await (await start(dataDir)).stop();
  expect(existsSync(left)).toBe(false);
});

test('a directory that is no cluster is left alone', async () => {
  const dataDir = freshDirectory();
  mkdirSync(join(dataDir, 'postgres'));
  writeFileSync(join(dataDir, 'postgres', 'mine.txt'), 'mine');
  await expect(start(dataDir)).rejects.toThrow(/no PostgreSQL data directory/);
  expect(readFileSync(join(dataDir, 'postgres', 'mine.txt'), 'utf8')).toBe('mine');
});

// Only root has another user to run PostgreSQL under, and only Linux the capability that lets that user pass.
const asRootOnLinux = process.geteuid?.() === 0 && process.platform === 'linux' ? test : test.skip;

asRootOnLinux('runs for root below a directory that only root may enter', async () => {
  const closed = freshDirectory();
  chmodSync(closed, 0o700);
  const server = await start(join(closed, 'data'));
  const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${String(server.pid)}/status`, 'utf8'))?.[1];
  expect(Number(owner)).toBeGreaterThan(0);
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  const again = await start(join(closed, 'data'));
  expect(again.adopted).toBe(false);
});
