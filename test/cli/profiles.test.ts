/** `charge profile erase`, and what imports and exports make of erased charges, against a real server. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { type CorrectionServer, openCorrectionServer } from '../charges/support/corrections.ts';
import { runCharge } from '../e2e/support/charge-program.ts';

const HEADER =
  'request_id,user_profile,provider,model,prompt_tokens,completion_tokens,usage_time,session_key';
const ROWS = [
  'r-1,alice,openai,gpt-4o,10,1,2026-09-01T00:00:00Z,s-1',
  'r-2,alice,openai,gpt-4o,20,2,2026-09-02T00:00:00Z,s-1',
  'r-3,bob,openai,gpt-4o,30,3,2026-09-03T00:00:00Z,s-2',
];

let book: CorrectionServer;
let folder: string;
let file: string;
beforeEach(async () => {
  book = await openCorrectionServer();
  folder = mkdtempSync(join(tmpdir(), 'charge-profiles-'));
  file = join(folder, 'usage.csv');
  writeFileSync(file, `${[HEADER, ...ROWS].join('\n')}\n`);
  await run('import', file, '--yes');
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await book.close();
});

const run = (...args: string[]) => runCharge(book.address, ...args);

test('it tells what there is, asks, and erases', async () => {
  expect(await run('profile', 'erase', 'alice', '--dry-run')).toEqual({ status: 'dry_run', charges: '2' });
  await expect(run('profile', 'erase', 'alice')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/alice: 2 charges that count, with 33 tokens[^]*--yes agrees/),
  });
  const erased = { status: 'erased', pseudonym: expect.stringMatching(/^erased-[0-9a-f]{16}$/) };
  expect(await run('profile', 'erase', 'alice', '--yes')).toEqual({ ...erased, charges: 2 });
  expect(await run('profile', 'erase', 'alice', '--yes')).toEqual({ ...erased, charges: 0 });
  await expect(run('profile', 'erase', 'nobody', '--yes')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no user profile'),
  });
});

test('an import counts erased charges as recorded before, and a dry run says so', async () => {
  await run('profile', 'erase', 'alice', '--yes');
  const counts = { created: 0, replayed: 3, replayed_erased: 2, rejected: 0 };
  expect(await run('import', file, '--dry-run')).toMatchObject(counts);
  expect(await run('import', file, '--yes')).toMatchObject({
    ...counts,
    status: 'stored',
    prompt_tokens: '30',
  });
  expect((await book.rows()).charges).toBe(3);
});

test('an export that is imported again makes no charge', async () => {
  await run('profile', 'erase', 'alice', '--yes');
  const exported = join(folder, 'out.ndjson');
  await run('export', '--output', exported);
  expect(readFileSync(exported, 'utf8')).not.toMatch(/alice|r-1|s-1/);
  expect(await run('import', exported, '--yes')).toMatchObject({
    created: 0,
    replayed: 3,
    replayed_erased: 2,
  });
  expect((await book.rows()).charges).toBe(3);
});
