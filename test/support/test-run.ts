/** The directory of one jest run. Every server of the run works below it, so one search finds and ends all. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { commandLineOf, isAlive, stopProcess } from '../../src/embedded/process.ts';

const prefix = 'charge-test-';
// SIGINT, because PostgreSQL waits for its clients to disconnect after a SIGTERM.
const stopSteps = [
  { signal: 'SIGINT', timeoutMs: 5_000 },
  { signal: 'SIGQUIT', timeoutMs: 5_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;

/** Makes the directory of this run; its name holds this process's id. */
export function createRunDirectory(): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), `${prefix}${String(process.pid)}-`));
  // If we are root, PostgreSQL runs under another user, who has to pass through.
  chmodSync(directory, 0o711);
  return directory;
}

/**
 * Ends every PostgreSQL and nats-server that works below the directory, and removes it. No other process is touched: the
 * command line of a process must contain this directory.
 */
export async function removeRunDirectory(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  for (const pid of serverPids(directory)) {
    if (isAlive(pid) && (commandLineOf(pid) ?? '').includes(`${directory}/`)) {
      await stopProcess('server of a test run', pid, stopSteps);
    }
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Removes the directories of runs whose jest and janitor were both killed. */
export async function removeAbandonedRuns(): Promise<void> {
  const parent = realpathSync(tmpdir());
  for (const name of readdirSync(parent)) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await removeRunDirectory(join(parent, name)).catch(() => undefined);
  }
}

// From the pid files, and on Linux every process: a failing test may have started a second server on one store, and
// then no file has the id of the first.
function serverPids(directory: string): Set<number> {
  const pidFiles = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => ['postmaster.pid', 'nats.pid'].includes(basename(path)))
    .map((path) => readFileSync(join(directory, path), 'utf8'));
  const processes = existsSync('/proc/self/cmdline') ? readdirSync('/proc') : [];
  const pids = [...pidFiles, ...processes].map((text) => Number.parseInt(text, 10));
  return new Set(pids.filter((pid) => pid > 0 && pid !== process.pid));
}
