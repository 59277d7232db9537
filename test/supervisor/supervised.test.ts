import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, expect, jest, test } from '@jest/globals';

import { startEmbeddedNats } from '../../src/embedded/nats-server.ts';
import { isAlive } from '../../src/embedded/process.ts';
import type { ManagedProcess, ProcessExit } from '../../src/embedded/server-process.ts';
import { superviseProcess } from '../../src/supervisor/supervised.ts';
import { freshDirectory, recordingLogger, writeScript } from '../embedded/support.ts';
import { waitFor } from '../support/wait-for.ts';

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
    stop: () => {
      exit.resolve({ expected: true, code: 0, signal: null });
      return Promise.resolve();
    },
    die: () => exit.resolve({ expected: false, code: null, signal: 'SIGKILL' }),
  } satisfies ManagedProcess & { port: number; die(): void };
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
  const binary = process.env['TEST_NATS_SERVER_BINARY'] ?? 'nats-server';
  const slow = writeScript(
    join(dataDir, 'slow'),
    `[ "$1" = --version ] || { echo $$ > ${pidFile}; exec sleep 60; }; exec ${binary} "$@"`,
  );
  const logger = recordingLogger();
  const start = (port: number, signal: AbortSignal) =>
    startEmbeddedNats({ dataDir, port, logger, signal, binary: port === 0 ? binary : slow });
  const supervised = await superviseProcess('nats-server', start, logger, NEVER);
  process.kill(supervised.first.pid, 'SIGKILL');
  const pid = await waitFor('the second start', () => Number(readFileSync(pidFile, 'utf8')));
  await supervised.stop();
  expect(isAlive(pid)).toBe(false);
  expect(logger.lines.filter((line) => line.includes('starting it again'))).toEqual([
    'nats-server died or did not start; starting it again {"reason":"it ended with SIGKILL"}',
  ]);
}, 30_000);
