/** Programs of other people, where they are installed. */

import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The program on PATH, or where `go install` and Debian's PostgreSQL put theirs; undefined: not there. */
export function findTool(name: string): string | undefined {
  const places = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    join(homedir(), 'go/bin'),
    ...['18', '17', '16', '15'].map((version) => `/usr/lib/postgresql/${version}/bin`),
  ];
  return places
    .filter((place) => place !== '')
    .map((place) => join(place, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
