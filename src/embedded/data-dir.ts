/** One service per DATA_DIR: a lock that the operating system releases when its process ends. */
import { accessSync, constants, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from '../errors/start-error.ts';

/** An acquired lock. */
export interface DataDirLock {
  /** The directory, absolute and without symbolic links. */
  dataDir: string;
  /** Releases the directory. Any number of calls. */
  release(): void;
}

const SQLITE_BUSY = 5;
// Garbage collection would close the file and so release the lock.
const acquired = new Set<DatabaseSync>();

/**
 * Creates the directory if it is missing (mode 0711) and locks it for this process. Throws if another process has the
 * lock, with a message that names that process, or if the directory cannot be used.
 *
 * Node has no call for file locks. SQLite, which Node includes, locks its file through the operating system, so a
 * killed process leaves no lock behind, and nobody has to guess from a process id whether the owner is still alive.
 * The file stays empty, and it stays in the directory: removing it would let two processes lock two different files.
 */
export function lockDataDir(wanted: string): DataDirLock {
  const dataDir = makeDirectory(resolve(wanted));
  const pidPath = join(dataDir, 'service.pid');
  const lockPath = join(dataDir, 'service.lock.sqlite');
  const lock = acquire(lockPath, pidPath);
  acquired.add(lock);
  writeFileSync(pidPath, `${process.pid}\n`);
  return {
    dataDir,
    release: () => {
      if (!acquired.delete(lock)) return;
      rmSync(pidPath, { force: true });
      lock.close();
    },
  };
}

function makeDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return realpathSync(directory);
  } catch (error) {
    throw new StartError(
      `DATA_DIR cannot be written: ${directory} (${(error as NodeJS.ErrnoException).code}). ` +
        'Set it to a directory that this user may write to',
    );
  }
}

function acquire(lockPath: string, pidPath: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(lockPath, { timeout: 0 });
    // No journal file: nothing is ever written.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const { errcode, message } = error as Error & { errcode?: number };
    if (errcode !== SQLITE_BUSY) throw new StartError(`${lockPath} cannot be locked: ${message}`);
    throw new StartError(
      `DATA_DIR is in use by the service with process id ${readPid(pidPath)} (${lockPath}): ` +
        'stop that service, or set another DATA_DIR',
    );
  }
}

// Unknown for a moment after the other process has acquired the lock.
function readPid(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
