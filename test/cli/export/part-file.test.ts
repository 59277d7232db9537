/** A file that appears when it is complete, and who may go on with what was begun. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openPartFile } from '../../../src/cli/export/part-file.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'charge-part-'));
  file = join(directory, 'x.csv');
});
afterEach(() => rm(directory, { recursive: true }));

/** Writes a part of a file that can go on, and stops. */
async function begin(identity: string): Promise<void> {
  const sink = await openPartFile(file, { identity, force: false });
  await sink.write('one\n');
  await sink.reached({ resumeToken: 'token', charges: 1, bytes: 4 });
  await sink.close();
}

test('the same export goes on, and the file appears at its end', async () => {
  await begin('same');
  const sink = await openPartFile(file, { identity: 'same', force: false });
  expect(sink.start).toEqual({ resumeToken: 'token', charges: 1, bytes: 4 });
  await sink.write('two\n');
  expect(existsSync(file)).toBe(false);
  await sink.finish();
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n');
  expect(existsSync(`${file}.part`) || existsSync(`${file}.part.json`)).toBe(false);
});

test.each(['another', undefined])('an export with identity %j does not take it over', async (identity) => {
  await begin('first');
  await expect(openPartFile(file, { identity, force: false })).rejects.toThrow(
    /belongs to an export with other/,
  );
});

test.each(['another', undefined])(
  'after --force by identity %j, the first export does not go on with bytes of the other one',
  async (identity) => {
    await begin('first');
    const other = await openPartFile(file, { identity, force: true });
    // Killed before it has kept a place of its own.
    await other.write('bytes of the other export\n');
    const first = await openPartFile(file, { identity: 'first', force: false });
    expect(first.start.bytes).toBe(0);
    await first.close();
    await other.close();
  },
);

test('a part of an export that cannot go on is written again', async () => {
  writeFileSync(`${file}.part`, 'half a Parquet file');
  const sink = await openPartFile(file, { identity: undefined, force: false });
  await sink.write('all');
  await sink.finish();
  expect(readFileSync(file, 'utf8')).toBe('all');
});
