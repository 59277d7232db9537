import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { findSharedData } from '../support/shared-data.ts';
import { countStream, readStream } from '../support/stream.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const trace = findSharedData('azure-llm-trace-conv.csv', 'the production trace');

let database: TestDatabase;
let nats: TestNats;
let service: Service;
let directory: Awaited<ReturnType<typeof makeDataDir>>;

beforeAll(async () => {
  [database, nats, directory] = await Promise.all([createMigratedDatabase(), startTestNats(), makeDataDir()]);
  service = new Service({ DATA_DIR: directory.path, DATABASE_URL: database.url, NATS_URL: nats.url });
  await service.ready();
});
afterAll(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), nats.stop(), directory.remove()]);
});

async function importFile(path: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const { grpc } = await service.ready();
  const rejects = join(directory.path, 'rejects.ndjson');
  const args = [
    'src/cli/charge.js',
    'import',
    path,
    '--json',
    '--address',
    grpc,
    '--rejects',
    rejects,
    ...flags,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function sums(where: string): Promise<Record<string, unknown>> {
  const [row] = await query(
    database.url,
    `SELECT count(*) AS charges, coalesce(sum(prompt_tokens), 0) AS prompt,
            coalesce(sum(completion_tokens), 0) AS completion FROM charge WHERE ${where}`,
  );
  return row ?? {};
}

describe('importing into the running service', () => {
  test('a generated file: every row once, also after a second run', async () => {
    const file = join(directory.path, 'usage.csv');
    const { stdout } = await promisify(execFile)(process.execPath, ['examples/generate-usage.mjs', '500'], {
      cwd: ROOT,
    });
    await writeFile(file, stdout);
    expect(await importFile(file)).toMatchObject({ created: 500, replayed: 0, rejected: 0 });
    expect(await importFile(file)).toMatchObject({ created: 0, replayed: 500, rejected: 0 });
    expect((await sums('true'))['charges']).toBe('500');
  });

  (trace === undefined ? test.skip : test)(
    'the production trace: 19,366 charges, their tokens, and as many events',
    async () => {
      const before = await countStream(nats.url);
      expect(await importFile(trace ?? '', '--set', 'model=llm')).toMatchObject({
        created: 19_366,
        replayed: 0,
        rejected: 0,
      });
      expect(await sums(`model = 'llm'`)).toEqual({
        charges: '19366',
        prompt: '22361870',
        completion: '4088665',
      });
      await waitFor('every event', async () => (await countStream(nats.url)) >= before + 19_366, {
        timeoutMs: 30_000,
        intervalMs: 200,
      });
      const messages = await readStream(nats.url);
      expect(new Set(messages.map(({ headers }) => headers['Nats-Msg-Id'])).size).toBe(before + 19_366);
      expect(await importFile(trace ?? '', '--set', 'model=llm')).toMatchObject({
        created: 0,
        replayed: 19_366,
        rejected: 0,
      });
    },
  );
});
