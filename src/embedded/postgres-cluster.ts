/** The data directory of the embedded PostgreSQL. It is made once: complete, or not at all. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../errors/start-error.ts';
import { runCommand } from './command.ts';
import { giveTo, type RunAs } from './postgres-user.ts';
import { childEnvironment, type Logger } from './process.ts';

/** The role that owns everything in the embedded cluster. It is a superuser. */
export const clusterUser = 'charge';

// The embedded programs can open the data directory of this major version only.
const clusterVersion = '18';

/** Where an embedded PostgreSQL keeps its parts below an absolute DATA_DIR. */
export function clusterPaths(dataDir: string) {
  return {
    dataDir,
    /** PostgreSQL's own data directory. */
    clusterDir: join(dataDir, 'postgres'),
    /** The password of `clusterUser`, mode 0600. */
    passwordFile: join(dataDir, 'postgres.password'),
    /** Connection parameters for libpq (psql), with the password, mode 0600. */
    serviceFile: join(dataDir, 'pg_service.conf'),
    logFile: join(dataDir, 'postgres.log'),
  };
}

export type ClusterPaths = ReturnType<typeof clusterPaths>;

/** What is needed to make a cluster. */
export interface ClusterOptions {
  paths: ClusterPaths;
  /** Absolute path of `initdb`. */
  initdb: string;
  runAs: RunAs;
  logger: Logger;
  signal: AbortSignal | undefined;
}

const initTimeoutMs = 120_000;
const initPrefix = 'postgres.init-';

/**
 * Makes the cluster unless it exists, and returns the password of `clusterUser`. A kill in the middle leaves only a
 * directory that a later call removes. The caller has locked DATA_DIR.
 * Throws for a cluster of another major version, for a lost password, and if initdb fails. After an abort of `signal`
 * it throws the signal's reason, and nothing of initdb is left.
 */
export async function ensureCluster(options: ClusterOptions): Promise<string> {
  const { dataDir, clusterDir, passwordFile } = options.paths;
  removeUnfinished(dataDir);
  const password = existsSync(passwordFile) ? readFileSync(passwordFile, 'utf8').trim() : '';
  const versionFile = join(clusterDir, 'PG_VERSION');
  if (!existsSync(versionFile)) {
    const newPassword = password || randomBytes(24).toString('base64url');
    await makeCluster(options, newPassword);
    return newPassword;
  }
  const version = readFileSync(versionFile, 'utf8').trim();
  if (version !== clusterVersion) {
    throw new StartError(
      `${clusterDir} was made by PostgreSQL ${version}, this is ${clusterVersion}: ` +
        'export it with the older version, or set another DATA_DIR or DATABASE_URL',
    );
  }
  if (password === '') {
    throw new StartError(
      `${passwordFile} with the password of ${clusterDir} is missing or empty: ` +
        'restore it, or set another DATA_DIR',
    );
  }
  return password;
}

async function makeCluster(options: ClusterOptions, password: string): Promise<void> {
  const { paths, runAs, logger, signal } = options;
  const { dataDir, clusterDir, passwordFile } = paths;
  const startedAtMs = performance.now();
  if (existsSync(clusterDir) && readdirSync(clusterDir).length > 0) {
    throw new StartError(
      `${clusterDir} exists, but is no PostgreSQL data directory (it has no PG_VERSION): ` +
        'move it away, or set another DATA_DIR',
    );
  }
  // Synced before the cluster appears under its name, so that no cluster can exist without its password.
  rmSync(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flush: true });
  giveTo(runAs, passwordFile);
  await syncDirectory(dataDir);
  const freshDir = join(dataDir, `${initPrefix}${randomBytes(6).toString('hex')}`);
  mkdirSync(freshDir, { mode: 0o700 });
  giveTo(runAs, freshDir);
  const [command, args] = runAs.command(options.initdb, [
    `--pgdata=${freshDir}`,
    `--username=${clusterUser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
  ]);
  const bounds = { cwd: dataDir, env: childEnvironment(), timeoutMs: initTimeoutMs, signal };
  try {
    await runCommand(command, args, { ...runAs.spawnOptions, ...bounds });
    await rename(freshDir, clusterDir);
  } catch (error) {
    rmSync(freshDir, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(dataDir);
  const durationMs = Math.round(performance.now() - startedAtMs);
  logger.info({ directory: clusterDir, durationMs }, 'made a new PostgreSQL data directory');
}

/**
 * Removes what killed starts have left, even if the cluster is complete: an initdb outlives its killed parent, and may
 * still write while the next start makes the cluster. A directory that it still writes to stays for a later start.
 */
function removeUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(initPrefix)) continue;
    try {
      rmSync(join(dataDir, name), { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}
