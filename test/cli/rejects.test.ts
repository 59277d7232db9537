/** The file of rejected rows. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { RejectFile } from '../../src/cli/import/rejects.ts';
import { rejectsOf } from './support/harness.ts';

const FIRST_FILE = '0123456789abcdef';
const SECOND_FILE = 'fedcba9876543210';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rejects-test-'));
  path = join(folder, 'stdin.rejects.ndjson');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Rejects one row of a file, as an import that is complete or was interrupted. */
function reject(fileId: string, raw: string, isComplete: boolean): string | undefined {
  const rejects = new RejectFile(path, fileId);
  rejects.add({ row: 2, code: 'INVALID_VALUE', reason: 'it is wrong', violations: [], raw });
  return rejects.finish(isComplete).rejectsPath;
}

test('the rejects of an interrupted import are kept when another file is imported', () => {
  reject(FIRST_FILE, 'complete', true);
  expect(reject(FIRST_FILE, 'interrupted', false)).toBe(`${path}.partial`);
  expect(reject(SECOND_FILE, 'another', true)).toBe(path);
  expect(rejectsOf(path)).toMatchObject([{ raw: 'another' }]);
  expect(rejectsOf(`${path}.1`)).toMatchObject([{ raw: 'complete' }]);
  expect(rejectsOf(`${path}.partial.1`)).toMatchObject([{ raw: 'interrupted' }]);
});

test('the rejects of an interrupted import are replaced when the same file is imported again', () => {
  reject(FIRST_FILE, 'complete', true);
  reject(FIRST_FILE, 'interrupted', false);
  expect(reject(FIRST_FILE, 'complete again', true)).toBe(path);
  expect(rejectsOf(path)).toMatchObject([{ raw: 'complete again' }]);
});
