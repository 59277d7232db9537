import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, expect, jest, test } from '@jest/globals';

import { childrenOf, isAlive, type Logger, signalProcess } from '../../src/embedded/process.ts';
import { startEmbeddedNats } from '../../src/embedded/nats-server.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { ManagedServer, ProcessExit } from '../../src/embedded/server-process.ts';
import { superviseProcess } from '../../src/supervisor/supervised.ts';
import { freshDirectory, recordingLogger, writeScript } from '../embedded/support.ts';
import { waitFor } from '../support/wait-for.ts';

const natsBinary = process.env['TEST_NATS_SERVER_BINARY'] ?? 'nats-server';
const NEVER = new AbortController().signal;

afterEach(() => {
  jest.useRealTimers();
});

/** A server that dies when it is told to. */
function fakeServer(port: number) {
  const exit = Promise.withResolvers<ProcessExit>();
  return {
    pid: 1,
    port: port === 0 ? 4222 : port,
    exited: exit.promise,
    kill: () => undefined,
    answers: () => Promise.resolve(true),
    stop: () => {
      exit.resolve({ expected: true, code: 0, signal: null });
      return Promise.resolve();
    },
    die: () => exit.resolve({ expected: false, code: null, signal: 'SIGKILL' }),
  } satisfies ManagedServer & { die(): void };
}

test('starts a server that dies again on its port, after delays that grow, whatever a start throws', async () => {
  jest.useFakeTimers();
  const logger = recordingLogger();
  const servers: ReturnType<typeof fakeServer>[] = [];
  const starts: { port: number; atMs: number }[] = [];
  const errors = [new TypeError('no connection'), new Error('no disk')];
  const start = (port: number) => {
    starts.push({ port, atMs: performance.now() });
    const error = servers.length === 1 ? errors.shift() : undefined;
    if (error !== undefined) return Promise.reject(error);
    servers.push(fakeServer(port));
    return Promise.resolve(servers[servers.length - 1]!);
  };
  const beganAtMs = performance.now();
  const supervised = await superviseProcess('the server', start, logger, NEVER);
  servers[0]?.die();
  await jest.advanceTimersByTimeAsync(1_400);
  expect(starts.map(({ port, atMs }) => [port, Math.round(atMs - beganAtMs)])).toEqual([
    [0, 0],
    [4222, 200],
    [4222, 600],
    [4222, 1400],
  ]);
  expect(logger.lines.map((line) => /"reason":"(.*)"/.exec(line)?.[1])).toEqual([
    'it ended with SIGKILL',
    'no connection',
    'no disk',
  ]);
  await jest.advanceTimersByTimeAsync(60_000);
  servers[1]?.die();
  await jest.advanceTimersByTimeAsync(0);
  expect(servers).toHaveLength(3);
  await supervised.stop();
  expect(await servers[2]?.exited).toMatchObject({ expected: true });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(servers).toHaveLength(3);
});

test('stops the server of a start that succeeds although stop() was called meanwhile', async () => {
  const server = fakeServer(0);
  const restart = Promise.withResolvers<void>();
  const late = fakeServer(0);
  const entered = Promise.withResolvers<void>();
  const start = async (port: number) => {
    if (port === 0) return server;
    entered.resolve();
    await restart.promise;
    return late;
  };
  const supervised = await superviseProcess('the server', start, recordingLogger(), NEVER);
  server.die();
  await entered.promise;
  const stopped = supervised.stop();
  restart.resolve();
  await stopped;
  expect(await late.exited).toMatchObject({ expected: true });
});

test('stops a server that is being started again at that moment', async () => {
  const dataDir = freshDirectory();
  const pidFile = join(dataDir, 'pid');
  const slow = writeScript(
    join(dataDir, 'slow'),
    `[ "$1" = --version ] || { echo $$ > ${pidFile}; exec sleep 60; }; exec ${natsBinary} "$@"`,
  );
  const logger = recordingLogger();
  const start = (port: number, signal: AbortSignal) =>
    startEmbeddedNats({ dataDir, port, logger, signal, binary: port === 0 ? natsBinary : slow });
  const supervised = await superviseProcess('nats-server', start, logger, NEVER);
  process.kill(supervised.first.pid, 'SIGKILL');
  const pid = await waitFor('the second start', () => Number(readFileSync(pidFile, 'utf8')));
  await supervised.stop();
  expect(isAlive(pid)).toBe(false);
  expect(logger.lines.filter((line) => line.includes('starting it again'))).toEqual([
    'nats-server died or did not start; starting it again {"reason":"it ended with SIGKILL"}',
  ]);
});

/** Half a second, so that the suite need not wait; a server that works answers in a millisecond. */
const PROBES = { pauseMs: 20, timeoutMs: 250, unansweredMax: 2 };

test.each<[string, (dataDir: string, port: number, logger: Logger) => Promise<ManagedServer>]>([
  [
    'nats-server',
    (dataDir, port, logger) => startEmbeddedNats({ dataDir, port, logger, binary: natsBinary }),
  ],
  ['PostgreSQL', (dataDir, port, logger) => startEmbeddedPostgres({ dataDir, port, logger })],
])(
  'kills a %s that hangs with all its processes, and starts it again on its port',
  async (name, launch) => {
    const dataDir = freshDirectory();
    const logger = recordingLogger();
    const servers: ManagedServer[] = [];
    const start = async (port: number) => {
      const server = await launch(dataDir, port, logger);
      servers.push(server);
      return server;
    };
    const supervised = await superviseProcess(name, start, logger, NEVER, PROBES);
    try {
      const { pid, port } = supervised.first;
      // It makes no more children then. One of those that it has may end before its signal.
      signalProcess(pid, 'SIGSTOP');
      const children = childrenOf(pid);
      for (const child of children) signalProcess(child, 'SIGSTOP');
      await waitFor('another server', () => servers.length === 2, { timeoutMs: 30_000 });
      expect(servers[1]?.port).toBe(port);
      expect(await servers[1]?.answers(5_000)).toBe(true);
      expect([pid, ...children].filter(isAlive)).toEqual([]);
      const told = logger.lines.filter((line) => /hangs|starting it again/.test(line));
      expect(told).toEqual([
        expect.stringContaining(`${name} hangs: it answers nobody; killing it`),
        expect.stringContaining('it ended with SIGKILL'),
      ]);
    } finally {
      await supervised.stop();
    }
  },
  120_000,
);
