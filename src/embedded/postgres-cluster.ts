/** The data directory of the embedded PostgreSQL. It is made once: complete, or not at all. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { giveTo, type RunAs } from './postgres-user.ts';
import { childEnvironment, type Logger } from './process.ts';

/** The role that owns everything in the embedded cluster. It is a superuser. */
export const clusterUser = 'charge';

// The embedded programs can open the data directory of this major version only.
const clusterVersion = '18';

/** Where an embedded PostgreSQL keeps its parts below DATA_DIR. */
export interface ClusterPaths {
  dataDir: string;
  /** PostgreSQL's own data directory. */
  clusterDir: string;
  /** The password of `clusterUser`, mode 0600. */
  passwordFile: string;
  logFile: string;
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
 * directory that a later call removes. The caller has locked DATA_DIR.
 * Throws for a cluster of another major version, for a lost password, and if initdb fails. After an abort of `signal`
 * it throws the signal's reason, and nothing of initdb is left.
 */
export async function ensureCluster(
  paths: ClusterPaths,
  initdb: string,
  runAs: RunAs,
  logger: Logger,
  signal?: AbortSignal,
): Promise<string> {
  removeUnfinished(paths.dataDir);
  const password = readPassword(paths);
  const versionFile = join(paths.clusterDir, 'PG_VERSION');
  if (!existsSync(versionFile)) return makeCluster(paths, initdb, runAs, logger, signal, password);
  const version = readFileSync(versionFile, 'utf8').trim();
  if (version !== clusterVersion) {
    throw new Error(
      `${paths.clusterDir} was made by PostgreSQL ${version}, this is ${clusterVersion}: ` +
        'export it with the older version, or set another DATA_DIR or DATABASE_URL',
    );
  }
  if (password === undefined) {
    throw new Error(
      `${paths.passwordFile} with the password of ${paths.clusterDir} is missing or empty: ` +
        'restore it, or set another DATA_DIR',
    );
  }
  return password;
}

async function makeCluster(
  paths: ClusterPaths,
  initdb: string,
  runAs: RunAs,
  logger: Logger,
  signal: AbortSignal | undefined,
  earlierPassword: string | undefined,
): Promise<string> {
  const startedAtMs = performance.now();
  if (existsSync(paths.clusterDir) && readdirSync(paths.clusterDir).length > 0) {
    throw new Error(
      `${paths.clusterDir} exists, but is no PostgreSQL data directory (it has no PG_VERSION): ` +
        'move it away, or set another DATA_DIR',
    );
  }
  // Synced before the cluster appears under its name, so that no cluster can exist without its password.
  const password = earlierPassword ?? randomBytes(24).toString('base64url');
  rmSync(paths.passwordFile, { force: true });
  await writeFile(paths.passwordFile, `${password}\n`, { mode: 0o600, flush: true });
  giveTo(runAs, paths.passwordFile);
  await syncDirectory(paths.dataDir);
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
  const durationMs = Math.round(performance.now() - startedAtMs);
  logger.info({ directory: paths.clusterDir, durationMs }, 'made a new PostgreSQL data directory');
  return password;
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

function readPassword({ passwordFile }: ClusterPaths): string | undefined {
  return existsSync(passwordFile) ? readFileSync(passwordFile, 'utf8').trim() || undefined : undefined;
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}
