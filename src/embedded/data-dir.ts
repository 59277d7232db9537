/** One service per DATA_DIR: a lock file that tells a living owner from a dead one. */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAlive, startTimeOf } from './process.ts';

/** A lock that is held. */
export interface DataDirLock {
  /** The directory, absolute and without symbolic links. */
  dataDir: string;
  /** Gives the directory free. Any number of calls; never removes the lock of another. */
  release(): void;
}

/** Another living process uses the directory. The message names it. */
export class DataDirInUseError extends Error {
  override name = 'DataDirInUseError';
}

interface Owner {
  pid: number;
  /** See `startTimeOf`; null where the platform does not tell. */
  startTime: string | null;
  /** Makes the content of every lock unique. */
  id: string;
}

const lockName = 'service.lock';
const attemptsMax = 100;
// A process that dies while it takes over a dead one's lock leaves a second dead lock behind, and so on.
const takeoverDepthMax = 5;

/**
 * Creates the directory when it is missing (mode 0711) and locks it for this process. A lock whose process is gone, or
 * whose process id belongs to another process by now, is taken over; of several that try at once one gets it.
 * Processes that do not see each other's ids, such as two containers on one volume, are not told apart.
 * Throws `DataDirInUseError`, or a file system error when the directory cannot be used.
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const wanted = resolve(dataDir);
  mkdirSync(wanted, { recursive: true, mode: 0o711 });
  const directory = realpathSync(wanted);
  const path = join(directory, lockName);
  const owner: Owner = { pid: process.pid, startTime: startTimeOf(process.pid) ?? null, id: randomUUID() };
  const content = JSON.stringify(owner);
  acquire(path, content, 0);
  return {
    dataDir: directory,
    release: () => {
      if (readOrUndefined(path) === content) rmSync(path, { force: true });
    },
  };
}

function acquire(path: string, content: string, depth: number): void {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (tryCreate(path, content)) return;
    const found = readOrUndefined(path);
    if (found === undefined) continue;
    const owner = parseOwner(found);
    if (owner !== undefined && isOwnerAlive(owner)) throw inUse(path, owner);
    if (depth >= takeoverDepthMax) break;
    // Only who holds the lock for taking over exactly this dead one may replace it: removing it and creating an own
    // one would let a second process, which read the dead one a moment ago, remove the new one.
    const takeover = `${path}.${owner?.id ?? 'broken'}`;
    acquire(takeover, content, depth + 1);
    try {
      if (readOrUndefined(path) !== found) continue;
      const own = `${takeover}.new`;
      writeFileSync(own, content, { mode: 0o600 });
      renameSync(own, path);
      return;
    } finally {
      rmSync(takeover, { force: true });
    }
  }
  throw new Error(
    `the lock ${path} cannot be taken: remove it and its companions if no service runs on this directory`,
  );
}

// A link appears with its whole content or fails because the name exists, so nobody reads a half-written lock.
function tryCreate(path: string, content: string): boolean {
  const draft = `${path}.${randomUUID()}.draft`;
  writeFileSync(draft, content, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function isOwnerAlive(owner: Owner): boolean {
  if (!isAlive(owner.pid)) return false;
  const startTime = startTimeOf(owner.pid);
  return owner.startTime === null || startTime === undefined || startTime === owner.startTime;
}

function inUse(path: string, owner: Owner): DataDirInUseError {
  return new DataDirInUseError(
    `DATA_DIR is in use by the service with process id ${String(owner.pid)} (${path}): ` +
      'stop that one, or set another DATA_DIR',
  );
}

function parseOwner(content: string): Owner | undefined {
  try {
    const { pid, startTime, id } = JSON.parse(content) as Partial<Owner>;
    if (!Number.isInteger(pid) || Number(pid) <= 0 || typeof id !== 'string' || !/^[0-9a-f-]{36}$/.test(id))
      return undefined;
    return { pid: Number(pid), startTime: startTime ?? null, id };
  } catch {
    return undefined;
  }
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
