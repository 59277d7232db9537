/** Where the secret of a new key goes: to standard output once, or into a file that nobody else may read. */

import { closeSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';

import { throwFaults } from '../command.ts';

/** A place for a secret. */
export interface SecretPlace {
  /** Undefined: standard output. */
  readonly path: string | undefined;
  /** Writes the key, alone on its line. */
  readonly write: (key: string) => void;
}

/**
 * Runs `work` with a place for the key that it makes. A file is made before, so that no key is lost because there is no
 * place for it, and removed if `work` has written nothing. Rejects with a `UsageError` if the file is there already or
 * cannot be made.
 */
export async function withSecretPlace(
  path: string | undefined,
  work: (place: SecretPlace) => Promise<number>,
): Promise<number> {
  if (path === undefined) return work({ path, write: (key) => void process.stdout.write(`${key}\n`) });
  const file = createFile(path);
  let written = false;
  try {
    const write = (key: string): void => {
      written = true;
      writeFileSync(file, `${key}\n`);
      fsyncSync(file);
    };
    return await work({ path, write });
  } finally {
    closeSync(file);
    if (!written) rmSync(path, { force: true });
  }
}

/** What a person hears of a new key. */
export function secretText(key: string, path: string | undefined): string {
  return path === undefined
    ? `${key} is shown only now. Use it as CHARGE_API_KEY, or put it into a file for --api-key-file.\n`
    : `${key} is in ${path}, and nowhere else. Use it with --api-key-file ${path}.\n`;
}

function createFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throwFaults([`--file: ${code === 'EEXIST' ? `${path} is there already: name another file` : message}`]);
    throw error;
  }
}
