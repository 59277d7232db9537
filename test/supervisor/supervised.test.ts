import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { startEmbeddedNats } from '../../src/embedded/nats-server.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { superviseProcess } from '../../src/supervisor/supervised.ts';
import { freshDirectory, recordingLogger, writeScript } from '../embedded/support.ts';
import { waitFor } from '../support/wait-for.ts';

const NEVER = new AbortController().signal;

test('stops a server that is just being started again', async () => {
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
