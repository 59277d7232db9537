/** Reading the state of processes by their id, and ending them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { BasicLogger } from '../observability/logger.ts';

export type Logger = BasicLogger;

/** One step of a stop: the signal to send, and how long to wait for the end of the process. */
export interface StopStep {
  signal: NodeJS.Signals;
  timeoutMs: number;
}

const pollIntervalMs = 10;

/** Whether a process with this id runs. A zombie does not count; a process of another user does. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !/\) Z [^)]*$/.test(readProc(pid, 'stat') ?? '');
}

/** The command line of a process, its arguments joined by blanks. Undefined if it has ended or cannot be read. */
export function commandLineOf(pid: number): string | undefined {
  const line = existsSync('/proc/self') ? readProc(pid, 'cmdline') : readPs(pid);
  return line?.replaceAll('\0', ' ').trim() || undefined;
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}

// For macOS, which has no /proc.
function readPs(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
      timeout: 2_000,
    });
  } catch {
    return undefined;
  }
}

/** Waits until the process has ended. Resolves to false if it still runs after `timeoutMs`. */
export async function waitUntilGone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() >= deadlineMs) return false;
    await delay(pollIntervalMs);
  }
  return true;
}

/** Sends a signal, if the process still runs. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Kills a process and its children. PostgreSQL's children end by themselves after its main process, but not if they
 * hang too, and no other PostgreSQL can start before they have ended.
 */
export function killWithChildren(pid: number): void {
  for (const each of [pid, ...childrenOf(pid)]) signalProcess(each, 'SIGKILL');
}

/** The ids of the children of a process. None on macOS, which has no /proc. */
export function childrenOf(pid: number): number[] {
  if (!existsSync('/proc/self')) return [];
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  // After the name, which may have blanks: the state, then the parent.
  const parentOf = (each: number) => readProc(each, 'stat')?.split(') ').at(-1)?.split(' ')[1];
  return pids.filter((each) => parentOf(each) === String(pid));
}

/** Sends one signal after the other until the process has ended; SIGKILL also to its children. Throws if it survives. */
export async function stopProcess(
  name: string,
  pid: number,
  steps: readonly StopStep[],
  logger?: Logger,
): Promise<void> {
  for (const [index, { signal, timeoutMs }] of steps.entries()) {
    if (index > 0) logger?.warn({ pid, signal }, `${name} did not stop in time; sending ${signal}`);
    if (signal === 'SIGKILL') killWithChildren(pid);
    else signalProcess(pid, signal);
    if (await waitUntilGone(pid, timeoutMs)) return;
  }
  throw new Error(`${name} (pid ${pid}) is still running after ${steps.map((s) => s.signal).join(', ')}`);
}

/** The environment of a child server. It has nothing else of this process's environment, which holds secrets. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
