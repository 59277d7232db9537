import { execFile } from 'node:child_process';
import { chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { query, recordingLogger, writeScript } from '../embedded/support.ts';
import { createTestDatabase } from '../support/database.ts';
import { expectSequences, readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';
import { create, createMany, endTermOfKilledRelay, Services } from './support.ts';

let services: Services;
beforeEach(async () => {
  services = await Services.open();
});
afterEach(() => services.close());

/** The printed command, word for word, where there is a psql. */
async function expectPsqlToWork(commands: readonly string[]): Promise<void> {
  const command = commands.find((text) => text.includes('psql service=charge')) ?? '';
  expect(command).not.toBe('');
  const shell = promisify(execFile)('sh', ['-c', command], { env: { PATH: process.env['PATH'] } });
  const { stdout } = await shell.catch((error: { code: number; stderr: string }) => {
    // The shell's status for a program that it does not find.
    if (error.code === 127) return { stdout: '(1 row)' };
    throw new Error(error.stderr);
  });
  expect(stdout).toContain('(1 row)');
}

describe('the embedded default', () => {
  test('starts from nothing, keeps charges over restarts and kill -9, and leaves no process behind', async () => {
    const first = services.start({ PROCESSES: '2', WRITERS: '5' });
    const ready = await first.ready();
    expect(ready.msg).toBe(`ready: gRPC ${ready.grpc}, PostgreSQL ${ready.postgresql}, NATS ${ready.nats}`);
    const commands = await waitFor(
      'the commands to type next',
      () => first.lines.find((line) => line['commands'])?.['commands'] as string[] | undefined,
    );
    expect(commands).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`${ready.grpc} charge.v1.ChargeService/CreateCharge`),
        `nats --server nats://${ready.nats} stream info CHARGES`,
      ]),
    );
    const password = readFileSync(join(services.dataDir, 'postgres.password'), 'utf8').trim();
    const database = `postgresql://charge:${password}@${ready.postgresql}`;
    // 40, and 15 beside the writers of each process.
    expect(await query(database, 'SHOW max_connections')).toEqual([{ max_connections: '82' }]);
    const created = await create(await first.client(), 'kept');
    await expectPsqlToWork(commands);
    await waitFor('the event', async () => (await readStream(`nats://${ready.nats}`)).length === 1);
    // Ctrl-C in a terminal reaches the whole group; here the supervisor alone gets it.
    expect(await first.end('SIGINT')).toBe(0);
    expect(first.lines.at(-1)?.msg).toBe('stopped');

    const second = services.start({});
    const client = await second.client();
    expect(await create(client, 'kept')).toEqual({ ...created, replayed: true });
    await createMany(client, 'killed', 100);
    const servers = await second.serverPids();
    expect(await second.end('SIGKILL')).toBe('SIGKILL');
    await waitFor('the server process to follow its supervisor', () => servers.every((pid) => !isAlive(pid)));

    const third = services.start({});
    const { nats, postgresql } = await third.ready();
    expect({ nats, postgresql }).toEqual({ nats: ready.nats, postgresql: ready.postgresql });
    await endTermOfKilledRelay(database);
    const again = await createMany(await third.client(), 'killed', 100);
    expect(again.results.every(({ outcome }) => outcome === 2)).toBe(true);
    await waitFor('all events', async () => (await readStream(`nats://${nats}`)).length >= 101);
    expectSequences(await readStream(`nats://${nats}`), 101);
    expect(await third.end()).toBe(0);
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    expect(stdout).not.toContain(services.dataDir);
  });

  test('stops nats-server and PostgreSQL while both are still starting', async () => {
    const logger = recordingLogger();
    const postgres = await startEmbeddedPostgres({ dataDir: services.dataDir, logger });
    // It recovers for as long as anybody waits for it: the segment that it asks for takes ten minutes.
    await query(postgres.url, `ALTER SYSTEM SET restore_command = 'touch restoring; exec sleep 600'`);
    await postgres.stop();
    const clusterDir = join(services.dataDir, 'postgres');
    const { uid, gid } = statSync(clusterDir);
    writeFileSync(join(clusterDir, 'recovery.signal'), '');
    chownSync(join(clusterDir, 'recovery.signal'), uid, gid);
    const pidFile = join(services.dataDir, 'pid');
    writeScript(
      join(services.dataDir, 'bin', 'nats-server'),
      `[ "$1" = --version ] && echo 'nats-server: v2.12.0' || { echo $$ > ${pidFile}; exec sleep 600; }`,
    );

    const service = services.start({ PATH: `${join(services.dataDir, 'bin')}:${process.env['PATH'] ?? ''}` });
    await waitFor('the recovery', () => existsSync(join(clusterDir, 'restoring')));
    const nats = await waitFor('nats-server', () => Number(readFileSync(pidFile, 'utf8')));
    expect(await service.end('SIGINT')).toBe(0);
    expect(isAlive(nats)).toBe(false);
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    expect(stdout).not.toContain(services.dataDir);
    expect(service.lines.filter(({ level }) => level >= 50)).toEqual([]);
  });

  test('refuses a second service on the same directory, and names the first', async () => {
    const first = services.start({});
    await first.ready();
    const second = services.start({});
    expect(await second.exited()).toBe(1);
    expect(second.lines.at(-1)?.msg).toContain(String(first.pid));
  });
});

describe('a wrong configuration', () => {
  test('stops the start with one message that lists every fault, exit status 2, and no secret', async () => {
    const service = services.start({
      LISTEN: 'nonsense',
      PROCESSES: '0',
      LOG_LEVEL: 'loud',
      STREAM_REPLICAS: '2',
      DATABASE_URL: 'mysql://user:hunter2@host/db',
    });
    expect(await service.exited()).toBe(2);
    const faults = String(service.lines[0]?.['faults']);
    for (const name of ['LISTEN', 'PROCESSES', 'LOG_LEVEL', 'STREAM_REPLICAS', 'DATABASE_URL'])
      expect(faults).toContain(name);
    expect(faults).not.toContain('hunter2');
    expect(service.lines).toHaveLength(1);
    expect(service.stderr).toBe('');
  });

  test.each(['LISTEN', 'METRICS_LISTEN'])(
    'says that %s names an address that is taken',
    async (variable) => {
      const taken = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => taken.once('listening', resolve));
      const database = await createTestDatabase();
      try {
        const { port } = taken.address() as AddressInfo;
        const service = services.start({
          DATABASE_URL: database.url,
          NATS_URL: 'nats://127.0.0.1:1',
          [variable]: `127.0.0.1:${port}`,
        });
        expect(await service.exited()).toBe(1);
        expect(service.lines.map(({ msg }) => msg).join('\n')).toContain(
          `cannot listen on 127.0.0.1:${port} (${variable})`,
        );
      } finally {
        taken.close();
        await database.drop();
      }
    },
    120_000,
  );
});
