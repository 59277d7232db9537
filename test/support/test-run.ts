/** The directory of one jest run: every server of the run lives below it, so that one sweep ends and removes all. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { commandLineOf, isAlive, stopProcess } from '../../src/embedded/process.ts';

const prefix = 'charge-test-';
// SIGINT, because PostgreSQL takes SIGTERM as "wait for the clients to leave".
const stopSteps = [
  { signal: 'SIGINT', timeoutMs: 5_000 },
  { signal: 'SIGQUIT', timeoutMs: 5_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;

/** Makes the directory of this run; its name holds this process's id. */
export function createRunDirectory(): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), `${prefix}${String(process.pid)}-`));
  // As root, PostgreSQL runs under another user, who has to pass through.
  chmodSync(directory, 0o711);
  return directory;
}

/**
 * Ends every PostgreSQL and nats-server that works below the directory and removes it. Nothing outside is touched: a
 * process is known by its id in a pid file and by this very directory on its command line.
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

/** Sweeps what runs left behind whose jest process is gone, after a SIGKILL of jest and its janitor together. */
export async function removeAbandonedRuns(): Promise<void> {
  const parent = realpathSync(tmpdir());
  for (const name of readdirSync(parent)) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await removeRunDirectory(join(parent, name)).catch(() => undefined);
  }
}

// By pid file, and on Linux every process with the directory on its command line: a failing test may have started a
// second server on one store, of which no file tells any more.
function serverPids(directory: string): Set<number> {
  const pidFiles = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => ['postmaster.pid', 'nats.pid'].includes(basename(path)))
    .map((path) => readFileSync(join(directory, path), 'utf8'));
  const processes = existsSync('/proc/self/cmdline') ? readdirSync('/proc') : [];
  const pids = [...pidFiles, ...processes].map((text) => Number.parseInt(text, 10));
  return new Set(pids.filter((pid) => pid > 0 && pid !== process.pid));
}
