import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { choosePort } from '../../src/embedded/ports.ts';
import { freshDirectory, recordingLogger } from './support.ts';

let dataDir: string;
const others: Server[] = [];

beforeEach(() => {
  dataDir = freshDirectory();
});
afterEach(() => {
  for (const server of others.splice(0)) server.close();
});

const choose = (server: 'postgres' | 'nats', wanted = 0, logger = recordingLogger()): Promise<number> =>
  choosePort(dataDir, server, wanted, logger);

async function occupy(port: number): Promise<void> {
  const server = createServer().listen({ host: '127.0.0.1', port, exclusive: true });
  others.push(server);
  await once(server, 'listening');
}

test('a port is chosen once for each server, also when both start at the same time', async () => {
  const [postgres, nats] = await Promise.all([choose('postgres'), choose('nats')]);
  expect(nats).not.toBe(postgres);
  expect([await choose('postgres'), await choose('nats')]).toEqual([postgres, nats]);
});

test('another program on the kept port: a new one, which is kept, and a warning that names both', async () => {
  const kept = await choose('nats');
  await occupy(kept);
  const logger = recordingLogger();
  const next = await choose('nats', 0, logger);
  expect(next).not.toBe(kept);
  expect(logger.lines).toEqual([expect.stringMatching(`port ${kept}.*port ${next}.*EMBEDDED_NATS_PORT`)]);
  expect(await choose('nats')).toBe(next);
});

test('a port that is set is taken, or refused with the name of its variable', async () => {
  const free = await choose('postgres');
  expect(await choose('nats', free)).toBe(free);
  await occupy(free);
  await expect(choose('postgres', free)).rejects.toThrow(
    new RegExp(`another program uses port ${free}.*set EMBEDDED_POSTGRES_PORT to another port`),
  );
});

test.each(['', '{"nats":', '{"nats":"x"}', '{"nats":70000}', 'null'])(
  'a damaged file keeps nothing: %j',
  async (text) => {
    writeFileSync(join(dataDir, 'ports.json'), text);
    const port = await choose('nats');
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(await choose('nats')).toBe(port);
  },
);
