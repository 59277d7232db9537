/** Brings an embedded PostgreSQL up: adopts a running one or starts one, and waits until it accepts connections. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pRetry from 'p-retry';
import { choosePort } from './ports.ts';
import type { ClusterPaths } from './postgres-cluster.ts';
import { isServerOn, readPostmasterPid, tryConnect } from './postgres-connect.ts';
import type { RunAs } from './postgres-user.ts';
import { isAlive } from './process.ts';
import {
  manageProcess,
  startServer,
  waitUntilReady,
  type ManagedProcess,
  type ServerStart,
} from './server-process.ts';

/** Everything that a launch needs to know. */
export interface Launch extends Pick<ServerStart, 'name' | 'stopSteps' | 'logger' | 'deadlineMs' | 'signal'> {
  paths: ClusterPaths;
  /** Absolute path of `postgres`. */
  program: string;
  runAs: RunAs;
  password: string;
  /** 0: the port that is kept in DATA_DIR, see `choosePort`. */
  port: number;
  settings: Readonly<Record<string, string>>;
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
      if (launch.signal?.aborted || isAlive(pid)) throw error;
      return undefined;
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
export function launchServer(launch: Launch): Promise<Running> {
  return pRetry(() => launchOnce(launch), {
    retries: launchRetries,
    minTimeout: launchRetryDelayMs,
    factor: 1,
    // "still in use": after a kill of the postmaster alone, its children need a moment to notice. "Address already in
    // use": another program took the port after it was chosen; the next attempt chooses another one.
    shouldRetry: ({ error: { message } }) =>
      message.includes('still in use') || (launch.port === 0 && message.includes('Address already in use')),
  }).catch((error: unknown) => {
    // p-retry replaces a reason that is no Error.
    launch.signal?.throwIfAborted();
    throw error;
  });
}

async function launchOnce(launch: Launch): Promise<Running> {
  const { paths, runAs } = launch;
  const port = await choosePort(paths.dataDir, 'postgres', launch.port, launch.logger);
  launch.signal?.throwIfAborted();
  const settings = Object.entries({ ...launch.settings, port: String(port) });
  const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, args] = runAs.command(launch.program, ['-D', paths.clusterDir, ...flags]);
  const spawnOptions = { ...runAs.spawnOptions, cwd: paths.dataDir };
  return startServer({ ...launch, command, args, spawnOptions, logPath: paths.logFile }, (pid) =>
    portWhenReady(launch, pid),
  );
}

async function portWhenReady(launch: Launch, pid: number): Promise<{ port: number } | string> {
  const file = readPostmasterPid(launch.paths.clusterDir);
  if (file?.pid !== pid || !file.status) return 'it has not written postmaster.pid yet';
  if (file.status !== 'ready') return `its status is "${file.status}"`;
  const reason = await tryConnect(file.port, launch.password);
  return reason ?? { port: file.port };
}
