/** Brings an embedded PostgreSQL up: adopts a running one or starts one, and waits until it accepts connections. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pRetry from 'p-retry';
import type { ClusterPaths } from './postgres-cluster.ts';
import { isServerOn, readPostmasterPid, tryConnect } from './postgres-connect.ts';
import type { RunAs } from './postgres-user.ts';
import { findFreePort, isAlive, type Logger } from './process.ts';
import { manageProcess, startServer, waitUntilReady, type ManagedProcess } from './server-process.ts';

/** Everything that a launch needs to know. */
export interface Launch {
  /** For messages. */
  name: string;
  stopSteps: typeof stopSteps;
  paths: ClusterPaths;
  /** Absolute path of `postgres`. */
  program: string;
  runAs: RunAs;
  password: string;
  database: string;
  /** 0: any free port. */
  port: number;
  settings: Readonly<Record<string, string>>;
  logger: Logger;
  /** On the clock of `performance.now()`. */
  deadlineMs: number;
  /** Ends the waiting for a server, and the server if this launch has started it. */
  signal: AbortSignal | undefined;
}

/** A server that accepts connections. */
export type Running = ManagedProcess & { port: number };

/**
 * How PostgreSQL is stopped. SIGINT is its fast shutdown, with a checkpoint. SIGQUIT is the immediate shutdown: it
 * loses nothing either, but the next start has to recover. SIGKILL is for a server that hangs in the kernel.
 */
export const stopSteps = [
  { signal: 'SIGINT', timeoutMs: 20_000 },
  { signal: 'SIGQUIT', timeoutMs: 10_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;
const launchRetries = 20;
const launchRetryDelayMs = 250;
const portTaken = 'Address already in use';

/**
 * Adopts the server that already works on the cluster, after waiting for it. Undefined if there is none (any more).
 * Throws if the server cannot be used, or the reason of the launch's signal; the server is left running then, because
 * it may be in the middle of a recovery.
 */
export async function adoptRunning(launch: Launch): Promise<Running | undefined> {
  const { clusterDir } = launch.paths;
  const pid = readPostmasterPid(clusterDir)?.pid;
  if (pid === undefined) return undefined;
  if (isServerOn(pid, clusterDir)) {
    launch.logger.warn({ pid }, 'a PostgreSQL of an earlier run is still working on this DATA_DIR');
    try {
      const ready = await waitUntilReady(launch, pid, () => portWhenReady(launch, pid));
      return { ...manageProcess(launch, pid), ...ready };
    } catch (error) {
      launch.signal?.throwIfAborted();
      if (!isAlive(pid)) return undefined;
      throw new Error(`PostgreSQL (pid ${pid}) cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  // PostgreSQL itself replaces the file of a dead process, after looking for survivors in its shared memory. But it
  // would refuse to start if the id belongs to another program now.
  if (isAlive(pid)) {
    launch.logger.warn({ pid }, 'removing postmaster.pid: its process id belongs to another program now');
    rmSync(join(clusterDir, 'postmaster.pid'), { force: true });
  }
  return undefined;
}

/**
 * Starts the server and waits until it is ready. Throws if it does not start, with the end of its log, or the reason of
 * the launch's signal. The server has ended then.
 */
export async function launchServer(launch: Launch): Promise<Running> {
  try {
    return await pRetry(() => launchOnce(launch), {
      retries: launchRetries,
      minTimeout: launchRetryDelayMs,
      factor: 1,
      // "still in use": after a kill of the postmaster alone, its children need a moment to notice.
      shouldRetry: ({ error: { message } }) =>
        message.includes('still in use') || (launch.port === 0 && message.includes(portTaken)),
    });
  } catch (error) {
    // p-retry replaces a reason that is no Error.
    launch.signal?.throwIfAborted();
    throw error;
  }
}

async function launchOnce(launch: Launch): Promise<Running> {
  const { paths, runAs, signal } = launch;
  const port = launch.port === 0 ? await findFreePort() : launch.port;
  signal?.throwIfAborted();
  const flags = Object.entries(launch.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const args = ['-D', paths.clusterDir, ...flags, '-c', `port=${port}`];
  const [command, allArgs] = runAs.command(launch.program, args);
  return startServer(
    {
      ...launch,
      command,
      args: allArgs,
      spawnOptions: { ...runAs.spawnOptions, cwd: paths.dataDir },
      logPath: paths.logFile,
    },
    (pid) => portWhenReady(launch, pid),
  ).catch((error: unknown) => {
    if (launch.port === 0 || !String(error).includes(portTaken)) throw error;
    throw new Error(`port ${port} of 127.0.0.1 is taken: choose another, or 0 for any free one`);
  });
}

async function portWhenReady(launch: Launch, pid: number): Promise<{ port: number } | string> {
  const file = readPostmasterPid(launch.paths.clusterDir);
  if (file?.pid !== pid || !file.status) return 'it has not written postmaster.pid yet';
  if (file.status !== 'ready') return `its status is "${file.status}"`;
  const reason = await tryConnect(file.port, launch.password, launch.database);
  return reason ?? { port: file.port };
}
