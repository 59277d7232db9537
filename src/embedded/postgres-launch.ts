/** Bringing an embedded PostgreSQL up: adopt what runs, else launch it, and wait until it accepts connections. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLogFile, tailOfLog } from './log-file.ts';
import type { ClusterPaths } from './postgres-cluster.ts';
import { isServerOn, readPostmasterPid, tryConnect } from './postgres-connect.ts';
import type { RunAs } from './postgres-user.ts';
import { childEnvironment, findFreePort, isAlive, stopProcess, type Logger } from './process.ts';

/** PostgreSQL did not start. The message ends with the last lines of its own log. */
export class PostgresStartError extends Error {
  override name = 'PostgresStartError';
}

/** Everything that a launch needs to know. */
export interface Launch {
  paths: ClusterPaths;
  /** Absolute path of `postgres`. */
  program: string;
  runAs: RunAs;
  password: string;
  database: string;
  /** 0: any free one. */
  port: number;
  settings: Readonly<Record<string, string>>;
  logger: Logger;
  /** On the clock of `performance.now()`. */
  deadlineMs: number;
  /** Ends the waiting for a server, and the server if this launch has started it. */
  signal: AbortSignal | undefined;
}

/**
 * How PostgreSQL is stopped: SIGINT is its fast shutdown, with a checkpoint; SIGQUIT the immediate one, which loses
 * nothing either but makes the next start recover; SIGKILL is for a server that hangs in the kernel.
 */
export const stopSteps = [
  { signal: 'SIGINT', timeoutMs: 20_000 },
  { signal: 'SIGQUIT', timeoutMs: 10_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;
const attemptsMax = 20;
const pollIntervalMs = 10;
const progressIntervalMs = 5_000;

/** A server that accepts connections. `child` is absent when it was adopted. */
export interface Running {
  port: number;
  pid: number;
  child?: ChildProcess;
}

/**
 * Adopts the server that works on the cluster already, waiting for it; undefined when there is none (any more).
 * Throws `PostgresStartError`, or the reason of the launch's signal; the server is left alone then.
 */
export async function adoptRunning(launch: Launch): Promise<Running | undefined> {
  const { paths, logger } = launch;
  const found = readPostmasterPid(paths.clusterDir);
  if (found === undefined) return undefined;
  const { pid } = found;
  if (!(await isServerOn(pid, paths.clusterDir))) {
    // PostgreSQL replaces the file of a dead process itself, after looking for survivors in its shared memory. It
    // would refuse to start only when the id now belongs to somebody else.
    if (isAlive(pid)) {
      logger.warn({ pid }, 'removing a stale postmaster.pid: its process id belongs to another program now');
      rmSync(join(paths.clusterDir, 'postmaster.pid'), { force: true });
    }
    return undefined;
  }
  logger.warn({ pid }, 'a PostgreSQL of an earlier run is still working on this DATA_DIR');
  const outcome = await waitUntilReady(launch, pid);
  return outcome.state === 'ready' ? { port: outcome.port, pid } : undefined;
}

/**
 * Starts the server and waits until it is ready. Throws `PostgresStartError`, or the reason of the launch's signal;
 * no server is left then.
 */
export async function launchServer(launch: Launch): Promise<Running> {
  const { paths } = launch;
  let tail = '';
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const port = launch.port === 0 ? await findFreePort() : launch.port;
    launch.signal?.throwIfAborted();
    const log = openLogFile(paths.logFile);
    const child = spawnServer(launch, port, log.descriptor);
    closeSync(log.descriptor);
    const pid = child.pid;
    if (pid === undefined) throw new PostgresStartError(await spawnFailure(child));
    const outcome = await waitUntilReady(launch, pid).catch((error: unknown) =>
      giveUp(launch, pid, log.startBytes, error),
    );
    if (outcome.state === 'ready') return { port, pid, child };
    tail = tailOfLog(paths.logFile, log.startBytes);
    const portTaken = tail.includes('Address already in use');
    if (portTaken && launch.port !== 0) {
      throw new PostgresStartError(
        `port ${String(launch.port)} of 127.0.0.1 is taken: choose another, or 0 for any free one`,
      );
    }
    // After a kill of the postmaster alone its children need a moment to notice.
    const childrenLeft = tail.includes('still in use');
    if (!portTaken && !childrenLeft) break;
    if (childrenLeft) await delay(250);
  }
  throw new PostgresStartError(`PostgreSQL did not start; its log (${paths.logFile}) ends with:\n${tail}`);
}

function spawnServer(launch: Launch, port: number, log: number): ChildProcess {
  const settings = { ...launch.settings, port: String(port) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, args] = launch.runAs.command(launch.program, ['-D', launch.paths.clusterDir, ...flags]);
  const child = spawn(command, args, {
    ...launch.runAs.spawnOptions,
    cwd: launch.paths.dataDir,
    env: childEnvironment(),
    // Our drain needs the database to the end, so the terminal's Ctrl-C must not reach it.
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  return child;
}

async function spawnFailure(child: ChildProcess): Promise<string> {
  const error = await new Promise<Error>((done) => child.once('error', done));
  return `PostgreSQL cannot be started: ${error.message}`;
}

type Outcome = { state: 'ready'; port: number } | { state: 'gone' };

// Only a server of our own start is stopped: an adopted one may be in the middle of a recovery.
async function giveUp(launch: Launch, pid: number, logStartBytes: number, error: unknown): Promise<never> {
  const tail = tailOfLog(launch.paths.logFile, logStartBytes);
  await stopProcess('PostgreSQL', pid, stopSteps, launch.logger);
  launch.signal?.throwIfAborted();
  throw new PostgresStartError(`${(error as Error).message}; its log ends with:\n${tail}`);
}

async function waitUntilReady(launch: Launch, pid: number): Promise<Outcome> {
  const { paths, password, database, logger, deadlineMs, signal } = launch;
  let nextProgressMs = performance.now() + progressIntervalMs;
  let reason = 'it has not written postmaster.pid yet';
  while (performance.now() < deadlineMs) {
    signal?.throwIfAborted();
    if (!isAlive(pid)) return { state: 'gone' };
    const file = readPostmasterPid(paths.clusterDir);
    if (file?.pid === pid && file.port !== undefined && file.status === 'ready') {
      const result = await tryConnect({ port: file.port, password }, paths.clusterDir, database);
      if (result.state === 'ready') return { state: 'ready', port: file.port };
      reason = result.reason;
      if (result.state === 'refused') break;
    } else if (file?.status !== undefined) {
      reason = `it says "${file.status}"`;
    }
    if (performance.now() >= nextProgressMs) {
      logger.info({ pid, reason }, 'waiting for PostgreSQL, which may be recovering from a crash');
      nextProgressMs = performance.now() + progressIntervalMs;
    }
    await delay(pollIntervalMs);
  }
  throw new PostgresStartError(`PostgreSQL (pid ${String(pid)}) cannot be used: ${reason}`);
}
