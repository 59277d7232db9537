/** Real data beside the checkout, for tests that are skipped without it: `../shared/data`, or one folder further up. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT, skipNote } from './tools.ts';

/** The path of a file of real data, or undefined after a note why the tests of `what` are skipped. */
export function findSharedData(name: string, what: string): string | undefined {
  const paths = ['../shared/data', '../../shared/data'].map((folder) => join(ROOT, folder, name));
  const path = paths.find((candidate) => existsSync(candidate));
  skipNote(what, path === undefined ? { path, reason: `${paths[0]} is not there` } : { path });
  return path;
}
