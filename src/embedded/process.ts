/** Looking at, waiting for and ending processes by their id. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The part of a pino logger that the embedded servers use. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** One step of a stop: the signal, and how long to wait for its effect. */
export interface StopStep {
  signal: NodeJS.Signals;
  timeoutMs: number;
}

/** How a process ended. `expected` is true when `stop()` had been called before. */
export interface ProcessExit {
  expected: boolean;
  /** Exit status; null after a signal, and for an adopted process, whose status is not ours to read. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running server process, started here or adopted. */
export interface ManagedProcess {
  pid: number;
  /** Ends the process and resolves when it is really gone. Any number of calls; rejects when it survives every step. */
  stop(): Promise<void>;
  /** Calls back once when the process is gone, at once if it is already. */
  onExit(callback: (exit: ProcessExit) => void): void;
}

const pollIntervalMs = 10;

/** Whether a process with this id runs. A zombie counts as gone; one of another user counts as running. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return procStat(pid)?.state !== 'Z';
}

/** The command line of a process, arguments joined by blanks; undefined when it is gone or cannot be read. */
export function commandLineOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      const line = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
        .replaceAll('\0', ' ')
        .trim();
      return line === '' ? undefined : line;
    } catch {
      return undefined;
    }
  }
  return ps(pid, 'command=');
}

/**
 * When a process started, as an opaque text that differs between any two processes with the same id,
 * also across reboots; undefined when it is gone or the platform does not tell.
 */
export function startTimeOf(pid: number): string | undefined {
  const stat = procStat(pid);
  if (stat === undefined) return existsSync('/proc/self/stat') ? undefined : ps(pid, 'lstart=');
  try {
    return `${stat.startTicks}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return stat.startTicks;
  }
}

function procStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The second field is the program's name, which may hold blanks and brackets: count from its end.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    const output = execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], {
      encoding: 'utf8',
      timeout: 2_000,
    });
    return output.trim() === '' ? undefined : output.trim();
  } catch {
    return undefined;
  }
}

/** Waits until the process is gone; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() >= deadline) return false;
    await delay(pollIntervalMs);
  }
  return true;
}

/** Sends the signals one after the other until the process is gone. Throws when it survives the last step. */
export async function stopProcess(
  name: string,
  pid: number,
  steps: readonly StopStep[],
  logger?: Logger,
): Promise<void> {
  for (const [index, { signal, timeoutMs }] of steps.entries()) {
    if (index > 0) logger?.warn({ pid, signal }, `${name} did not stop in time, sending ${signal}`);
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    if (await waitUntilGone(pid, timeoutMs)) return;
  }
  throw new Error(
    `${name} (pid ${String(pid)}) is still running after ${steps.map((s) => s.signal).join(', ')}`,
  );
}

/** A TCP port of 127.0.0.1 that was free a moment ago: the caller must be ready to find it taken. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) =>
    server.close(() => {
      resolve();
    }),
  );
  if (address === null || typeof address === 'string') throw new Error('no TCP address after listen');
  return address.port;
}

/** The only environment that a child server gets: the secrets in this process's own stay here. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
