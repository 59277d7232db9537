/** The data directory of the embedded PostgreSQL: made once, whole or not at all. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { childEnvironment, type Logger } from './process.ts';
import { giveTo, type RunAs } from './postgres-user.ts';

/** The role that owns everything in the embedded cluster. It is a superuser. */
export const clusterUser = 'charge';

/** The only major version whose data directory the embedded programs can open. */
export const clusterVersion = '18';

/** Where an embedded PostgreSQL keeps its parts below DATA_DIR. */
export interface ClusterPaths {
  dataDir: string;
  /** PostgreSQL's own data directory. */
  clusterDir: string;
  /** The password of `clusterUser`, mode 0600. */
  passwordFile: string;
  logFile: string;
}

/** The data directory cannot be used. The message says why and what to do. */
export class PostgresClusterError extends Error {
  override name = 'PostgresClusterError';
}

const initTimeoutMs = 120_000;
const initPrefix = 'postgres.init-';

/** The paths for an absolute DATA_DIR. */
export function clusterPaths(dataDir: string): ClusterPaths {
  return {
    dataDir,
    clusterDir: join(dataDir, 'postgres'),
    passwordFile: join(dataDir, 'postgres.password'),
    logFile: join(dataDir, 'postgres.log'),
  };
}

/**
 * Makes the cluster unless it exists, and returns the password of `clusterUser`. A kill in the middle leaves only a
 * directory that a later call removes. The caller holds the lock of DATA_DIR.
 * Throws `PostgresClusterError` for another major version or a lost password, `CommandError` when initdb fails, and
 * the reason of `signal` once that is aborted, with nothing of initdb left.
 */
export async function ensureCluster(
  paths: ClusterPaths,
  initdb: string,
  runAs: RunAs,
  logger: Logger,
  signal?: AbortSignal,
): Promise<string> {
  sweepUnfinished(paths.dataDir);
  const versionFile = join(paths.clusterDir, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const version = readFileSync(versionFile, 'utf8').trim();
    if (version !== clusterVersion) {
      throw new PostgresClusterError(
        `${paths.clusterDir} was made by PostgreSQL ${version}, this is ${clusterVersion}: ` +
          'export it with the older version, or set another DATA_DIR or DATABASE_URL',
      );
    }
    return readPassword(paths);
  }
  removeIfEmpty(paths.clusterDir);
  const password = await ensurePassword(paths, runAs);
  const startedAtMs = performance.now();
  const freshDir = join(paths.dataDir, `${initPrefix}${randomBytes(6).toString('hex')}`);
  mkdirSync(freshDir, { mode: 0o700 });
  giveTo(runAs, freshDir);
  const [command, args] = runAs.command(initdb, [
    `--pgdata=${freshDir}`,
    `--username=${clusterUser}`,
    `--pwfile=${paths.passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
  ]);
  try {
    await runCommand(command, args, {
      ...runAs.spawnOptions,
      cwd: paths.dataDir,
      env: childEnvironment(),
      timeoutMs: initTimeoutMs,
      signal,
    });
    await rename(freshDir, paths.clusterDir);
  } catch (error) {
    rmSync(freshDir, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(paths.dataDir);
  logger.info(
    { directory: paths.clusterDir, durationMs: Math.round(performance.now() - startedAtMs) },
    'made a new PostgreSQL data directory',
  );
  return password;
}

/**
 * Removes what killed starts left, also beside a finished cluster: an initdb outlives its parent and may write on
 * while the next start has the cluster made already. What it still holds on to stays for a later start.
 */
function sweepUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(initPrefix)) continue;
    try {
      rmSync(join(dataDir, name), { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}

function readPassword(paths: ClusterPaths): string {
  const password = existsSync(paths.passwordFile) ? readFileSync(paths.passwordFile, 'utf8').trim() : '';
  if (password !== '') return password;
  throw new PostgresClusterError(
    `${paths.passwordFile} with the password of ${paths.clusterDir} is missing or empty: restore it, or set another DATA_DIR`,
  );
}

// Written and synced before the cluster appears under its name, so that no cluster can exist without its password.
async function ensurePassword(paths: ClusterPaths, runAs: RunAs): Promise<string> {
  const existing = existsSync(paths.passwordFile) ? readFileSync(paths.passwordFile, 'utf8').trim() : '';
  const password = existing === '' ? randomBytes(24).toString('base64url') : existing;
  await writeFile(paths.passwordFile, `${password}\n`, { mode: 0o600, flush: true });
  chmodSync(paths.passwordFile, 0o600);
  giveTo(runAs, paths.passwordFile);
  await syncDirectory(dirname(paths.passwordFile));
  return password;
}

function removeIfEmpty(directory: string): void {
  if (!existsSync(directory)) return;
  try {
    rmdirSync(directory);
  } catch {
    throw new PostgresClusterError(
      `${directory} exists, but is no PostgreSQL data directory (it has no PG_VERSION): move it away, or set another DATA_DIR`,
    );
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
