import { afterEach, expect, test } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  startEmbeddedNats,
  type EmbeddedNats,
  type EmbeddedNatsOptions,
} from '../../src/embedded/nats-server.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { startTestNats } from '../support/nats.ts';
import { waitFor } from '../support/wait-for.ts';
import { freshDirectory, recordingLogger, runModule, writeScript } from './support.ts';

const binary = process.env['TEST_NATS_SERVER_BINARY'] ?? 'nats-server';
const running: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

async function start(dataDir: string, options: Partial<EmbeddedNatsOptions> = {}): Promise<EmbeddedNats> {
  const server = await startEmbeddedNats({ dataDir, binary, logger: recordingLogger(), ...options });
  running.push(server);
  return server;
}

async function withConnection<T>(url: string, work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await connect({ servers: url, reconnect: false, timeout: 5_000 });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

function publishOne(url: string): Promise<void> {
  return withConnection(url, async (connection) => {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'payload');
  });
}

function messagesIn(url: string): Promise<number> {
  return withConnection(url, async (connection) => {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.info('KEPT')).state.messages;
  });
}

test('keeps a stream over a restart on the same store', async () => {
  const dataDir = freshDirectory();
  const first = await start(dataDir);
  await publishOne(first.url);
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  expect(await first.exited).toMatchObject({ expected: true });
  const second = await start(dataDir, { port: first.port });
  expect(second.port).toBe(first.port);
  expect(await messagesIn(second.url)).toBe(1);
});

test('listens on loopback only, syncs every 10 s, and has the limit that was asked for', async () => {
  const dataDir = freshDirectory();
  await start(dataDir, { fileStoreBytesMax: 5_000_000 });
  const configuration = readFileSync(join(dataDir, 'nats', 'nats.conf'), 'utf8');
  expect(configuration).toContain('host: 127.0.0.1\n');
  expect(configuration).toContain('sync_interval: 10s\n');
  const log = readFileSync(join(dataDir, 'nats.log'), 'utf8');
  expect(log).toMatch(/Listening for client connections on 127\.0\.0\.1:/);
  expect(log).toMatch(/Max Storage: +4\.77 MB/);
});

test('stops the server that a killed service left on the store, and keeps its stream', async () => {
  const dataDir = freshDirectory();
  const { child, line } = await runModule(`
    const { startEmbeddedNats } = await import(root + 'src/embedded/nats-server.ts');
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const options = { dataDir: ${JSON.stringify(dataDir)}, binary: ${JSON.stringify(binary)}, logger };
    const server = await startEmbeddedNats(options);
    console.log(JSON.stringify({ pid: server.pid, url: server.url }));
    setInterval(() => {}, 1000);`);
  const orphan = JSON.parse(line) as { pid: number; url: string };
  await publishOne(orphan.url);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(orphan.pid)).toBe(true);
  const server = await start(dataDir);
  expect(isAlive(orphan.pid)).toBe(false);
  expect(await messagesIn(server.url)).toBe(1);
});

test('stops the server that a service left which was killed during the start', async () => {
  const dataDir = freshDirectory();
  const slow = writeScript(join(dataDir, 'slow'), 'while :; do sleep 0.1; done');
  const { child } = await runModule(`
    const { watch } = await import('node:fs');
    const dataDir = ${JSON.stringify(dataDir)};
    const { startEmbeddedNats } = await import(root + 'src/embedded/nats-server.ts');
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const starting = startEmbeddedNats({ dataDir, binary: ${JSON.stringify(slow)}, logger });
    watch(dataDir, (_, name) => { if (name === 'nats.log') console.log('spawned'); });
    await starting;`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const orphan = Number(readFileSync(join(dataDir, 'nats', 'nats.pid'), 'utf8'));
  expect(isAlive(orphan)).toBe(true);
  const server = await start(dataDir);
  expect(isAlive(orphan)).toBe(false);
  expect(server.pid).not.toBe(orphan);
});

test('does not stop another program that has the process id of an earlier server now', async () => {
  const dataDir = freshDirectory();
  mkdirSync(join(dataDir, 'nats'));
  writeFileSync(join(dataDir, 'nats', 'nats.pid'), `${String(process.pid)}\n`);
  await start(dataDir);
  expect(isAlive(process.pid)).toBe(true);
});

test('names a port that is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    await expect(start(freshDirectory(), { port })).rejects.toThrow(
      `another program uses port ${port} of 127.0.0.1, the port of the embedded nats-server`,
    );
  } finally {
    other.close();
  }
});

test('a server that ends at once is reported with the end of its log', async () => {
  const dataDir = freshDirectory();
  const broken = writeScript(
    join(dataDir, 'broken'),
    'if [ "$1" = --version ]; then echo "nats-server: v2.12.0"; else echo "no disk today" >&2; exit 3; fi',
  );
  await expect(start(dataDir, { binary: broken })).rejects.toThrow(/it ended with 3; .*no disk today/s);
});

test('a server that never becomes ready is stopped after the time limit', async () => {
  const dataDir = freshDirectory();
  const pidFile = join(dataDir, 'pid');
  const silent = writeScript(
    join(dataDir, 'silent'),
    `if [ "$1" = --version ]; then echo "nats-server: v2.12.0"; else echo $$ > ${pidFile}; exec sleep 60; fi`,
  );
  await expect(start(dataDir, { binary: silent, startTimeoutMs: 500 })).rejects.toThrow(
    /nats-server is not ready in time: it has not written its port yet/,
  );
  expect(isAlive(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
});

test('a server that is stopped while it starts is gone when the start has ended', async () => {
  const dataDir = freshDirectory();
  const pidFile = join(dataDir, 'pid');
  const slow = writeScript(
    join(dataDir, 'slow'),
    `[ "$1" = --version ] || { echo $$ > ${pidFile}; exec sleep 60; }; exec ${binary} "$@"`,
  );
  const stopping = new AbortController();
  const starting = start(dataDir, { binary: slow, signal: stopping.signal });
  const failed = starting.catch((error: unknown) => error);
  const pid = await waitFor('the program', () => Number(readFileSync(pidFile, 'utf8')));
  stopping.abort();
  expect(await failed).toBe(stopping.signal.reason);
  expect(isAlive(pid)).toBe(false);
});

test('reports an unexpected exit, and the helper for suites comes back after a kill on the same port and store', async () => {
  const dataDir = freshDirectory();
  const server = await start(dataDir);
  process.kill(server.pid, 'SIGKILL');
  expect(await server.exited).toEqual({ expected: false, code: null, signal: 'SIGKILL' });

  const helper = await startTestNats();
  running.push(helper);
  await publishOne(helper.url);
  const { pid, port } = helper;
  await helper.kill();
  expect(isAlive(pid)).toBe(false);
  await helper.restart();
  expect(helper.port).toBe(port);
  expect(helper.pid).not.toBe(pid);
  expect(await messagesIn(helper.url)).toBe(1);
});
