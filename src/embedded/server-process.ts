/** A server process of the embedded default: its start, its log, its end. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  childEnvironment,
  isAlive,
  killWithChildren,
  signalProcess,
  stopProcess,
  type Logger,
  type StopStep,
} from './process.ts';

/** How a process ended. */
export interface ProcessExit {
  /** True if `stop()` was called before. */
  expected: boolean;
  /** Exit status. Null after a signal, and for an adopted process, whose status only its parent can read. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running server process, started or adopted by this process. */
export interface ManagedProcess {
  pid: number;
  /** Ends the process. Resolves when it has ended; rejects if it survives every step. Later calls share the result. */
  stop(): Promise<void>;
  /** Kills the process and its children: for one that hangs. */
  kill(): void;
  /** Resolves when the process has ended, for whatever reason. Never rejects. */
  exited: Promise<ProcessExit>;
}

/** A server that listens on a port of 127.0.0.1. */
export interface ManagedServer extends ManagedProcess {
  port: number;
  /** Resolves to false if the server says nothing at all within `timeoutMs`. */
  answers(timeoutMs: number): Promise<boolean>;
}

/** A server process, and how it is started and stopped. */
export interface ServerStart {
  /** For messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** With `env`, which is added to `childEnvironment()`. */
  spawnOptions: Pick<SpawnOptions, 'cwd' | 'uid' | 'gid' | 'env'>;
  /**
   * The output of the server is appended to this file, mode 0600. If the file has more than 16 MiB, it is first moved
   * to `<logPath>.1`.
   */
  logPath: string;
  stopSteps: readonly [StopStep, ...StopStep[]];
  logger: Logger;
  /** On the clock of `performance.now()`. */
  deadlineMs: number;
  signal: AbortSignal | undefined;
}

const logBytesMax = 16 * 1024 ** 2;
const tailBytesMax = 4_096;
const tailLinesMax = 20;
const readyPollIntervalMs = 10;
const adoptedPollIntervalMs = 500;
const progressIntervalMs = 5_000;

/**
 * Starts a server and resolves when it is ready: `attempt` is called with its process id until it returns an object,
 * which is added to the result. A text is the reason why the server is not ready yet. The first call is in the same turn
 * of the event loop as the start.
 * Throws if the server does not start; the message ends with the last lines of its log (20 lines, 4 KiB). After an abort
 * of `signal` it throws the signal's reason. In both cases the server has ended.
 *
 * The server is in a session of its own, so a terminal's Ctrl-C does not reach it: the service needs PostgreSQL and
 * NATS until its own drain has ended. It does not keep Node's event loop alive.
 */
export async function startServer<T extends object>(
  start: ServerStart,
  attempt: (pid: number) => Promise<T | string>,
): Promise<ManagedProcess & T> {
  const { name, command, args, spawnOptions, logPath, signal } = start;
  if (existsSync(logPath) && statSync(logPath).size > logBytesMax) renameSync(logPath, `${logPath}.1`);
  const log = openSync(logPath, 'a', 0o600);
  const logStartBytes = statSync(logPath).size;
  const child = spawn(command, args, {
    ...spawnOptions,
    env: { ...childEnvironment(), ...spawnOptions.env },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    throw new Error(`${command} cannot be started: ${error.message}`);
  }
  const { pid } = child;
  const managed = manageProcess(start, pid, child);
  try {
    return { ...managed, ...(await waitUntilReady(start, pid, attempt)) };
  } catch (error) {
    if (!isAlive(pid)) await managed.exited;
    await managed.stop();
    signal?.throwIfAborted();
    const exit = await managed.exited;
    const reason = exit.expected ? (error as Error).message : `it ended with ${exit.signal ?? exit.code}`;
    throw new Error(
      `${name} did not start: ${reason}; its log (${logPath}) ends with:\n${tailOf(logPath, logStartBytes)}`,
      { cause: error },
    );
  }
}

function tailOf(logPath: string, startBytes: number): string {
  const written = readFileSync(logPath).subarray(startBytes).subarray(-tailBytesMax).toString('utf8');
  return written.trimEnd().split('\n').slice(-tailLinesMax).join('\n');
}

/** Waits for a server that was started or found. Throws if it ends or is not ready in time, or `signal` is aborted. */
export async function waitUntilReady<T extends object>(
  { name, logger, deadlineMs, signal }: Pick<ServerStart, 'name' | 'logger' | 'deadlineMs' | 'signal'>,
  pid: number,
  attempt: (pid: number) => Promise<T | string>,
): Promise<T> {
  let nextProgressMs = performance.now() + progressIntervalMs;
  for (;;) {
    signal?.throwIfAborted();
    if (!isAlive(pid)) throw new Error(`${name} has ended`);
    const result = await attempt(pid);
    if (typeof result !== 'string') return result;
    if (performance.now() >= deadlineMs) throw new Error(`${name} is not ready in time: ${result}`);
    if (performance.now() >= nextProgressMs) {
      logger.info({ pid, reason: result }, `waiting for ${name}, which may be recovering from a crash`);
      nextProgressMs += progressIntervalMs;
    }
    await delay(readyPollIntervalMs);
  }
}

/**
 * Stops and watches a server process. `child` is absent for an adopted process, which is polled every 500 ms.
 * Neither keeps Node's event loop alive.
 */
export function manageProcess(
  { name, stopSteps, logger }: Pick<ServerStart, 'name' | 'stopSteps' | 'logger'>,
  pid: number,
  child?: ChildProcess,
): ManagedProcess {
  let ended = false;
  let stopping: Promise<void> | undefined;
  const stopped = new AbortController();
  // This process ends without a stop: by a second Ctrl-C, or an error. Only `kill -9` leaves the server running.
  const onExit = (): void => signalProcess(pid, stopSteps[0].signal);
  process.once('exit', onExit);
  const exited = waitForExit(pid, child, stopped.signal).then(({ code, signal }) => {
    ended = true;
    process.off('exit', onExit);
    return { expected: stopping !== undefined, code, signal };
  });
  const stop = async (): Promise<void> => {
    // The id of a process that has ended may belong to another program now.
    if (ended) return;
    child?.ref();
    await stopProcess(name, pid, stopSteps, logger);
    stopped.abort();
    await exited;
  };
  const kill = (): void => {
    if (!ended) killWithChildren(pid);
  };
  return { pid, stop: () => (stopping ??= stop()), kill, exited };
}

async function waitForExit(
  pid: number,
  child: ChildProcess | undefined,
  stopped: AbortSignal,
): Promise<Pick<ProcessExit, 'code' | 'signal'>> {
  if (child === undefined) {
    const options = { ref: false, signal: stopped };
    while (isAlive(pid)) await delay(adoptedPollIntervalMs, undefined, options).catch(() => undefined);
    return { code: null, signal: null };
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
}
