/** Finding a nats-server program, or bringing one into the project's cache: no npm package carries it. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import {
  installFromDebian,
  installFromRelease,
  installWithGo,
  officialRelease,
  type Installer,
  type Release,
} from './nats-install.ts';
import { natsVersionMin, natsVersionOf, versionAtLeast } from './nats-version.ts';
import { isAlive, type Logger } from './process.ts';

/** Options of `findNatsServer`. */
export interface FindNatsOptions {
  /** Where programs are kept between starts; created when something is installed. */
  cacheDir: string;
  logger: Logger;
  /** Its PATH is searched, and is what the installers see. Default: this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Another release than the official one; for tests. */
  release?: Release;
  /** The ways to install, in order; for tests. Default: release, Go, Debian. */
  installers?: readonly Installer[];
  /** Ends the search and whatever program it has started. */
  signal?: AbortSignal;
}

/** No way led to a nats-server. The message lists each with its reason and says what to do. */
export class NatsServerUnavailableError extends Error {
  override name = 'NatsServerUnavailableError';
  /** What was tried, in order, and why it failed. */
  readonly attempts: readonly Attempt[];

  constructor(attempts: readonly Attempt[]) {
    const list = attempts.map(({ way, reason }) => `  - ${way}: ${reason}`).join('\n');
    super(
      `no nats-server found and none could be installed:\n${list}\n` +
        'Install nats-server 2.9 or newer (2.12 is best) so that it is on PATH, or set NATS_URL to a running one.',
    );
    this.attempts = attempts;
  }
}

/** One way that did not work. */
export interface Attempt {
  way: string;
  reason: string;
}

const program = 'nats-server';
const progressIntervalMs = 10_000;

/**
 * Returns the path of a nats-server that runs (2.9 or newer): from PATH, else from the cache, else installed into
 * the cache from the official release, with `go install`, or out of Debian's package. Each way is bounded in time
 * (5 minutes for Go, less for the others). Any number of processes may do this at once.
 * Throws `NatsServerUnavailableError`; once `signal` is aborted, its reason, when all that was started is gone.
 */
export async function findNatsServer(options: FindNatsOptions): Promise<string> {
  const { logger, env = process.env, release = officialRelease, signal } = options;
  const cacheDir = resolve(options.cacheDir);
  const attempts: Attempt[] = [];
  const failed = (way: string, error: unknown): void => {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    attempts.push({ way, reason });
    logger.debug({ way, reason }, 'no nats-server this way');
  };
  for (const [way, candidates] of [
    ['PATH', onPath(env['PATH'] ?? '')],
    ['cache', inCache(cacheDir)],
  ] as const) {
    if (candidates.length === 0)
      failed(way, way === 'PATH' ? `no ${program} on PATH` : `none in ${cacheDir}`);
    for (const binary of candidates) {
      try {
        logger.debug({ binary, version: await checkedVersion(binary, signal) }, 'found nats-server');
        return binary;
      } catch (error) {
        failed(`${way} (${binary})`, error);
      }
    }
  }
  const installers = options.installers ?? [installFromRelease, installWithGo, installFromDebian];
  for (const installer of installers) {
    try {
      return await install(installer, { cacheDir, env, release, logger, signal });
    } catch (error) {
      failed(installer.way, error);
      logger.info(
        { way: installer.way, reason: attempts.at(-1)?.reason },
        'could not install nats-server this way',
      );
    }
  }
  throw new NatsServerUnavailableError(attempts);
}

async function install(
  installer: Installer,
  context: {
    cacheDir: string;
    env: NodeJS.ProcessEnv;
    release: Release;
    logger: Logger;
    signal: AbortSignal | undefined;
  },
): Promise<string> {
  const { cacheDir, logger, env, release, signal } = context;
  mkdirSync(cacheDir, { recursive: true });
  removeLeftovers(cacheDir);
  const workDir = join(cacheDir, `.installing-${String(process.pid)}-${randomUUID()}`);
  mkdirSync(workDir, { mode: 0o700 });
  const startedAtMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedAtMs) / 1_000);
  logger.info({ way: installer.way }, 'trying to install nats-server');
  const progress = setInterval(() => {
    logger.info({ way: installer.way, seconds: seconds() }, 'still installing nats-server');
  }, progressIntervalMs);
  try {
    const built = await installer.run({ env, release, workDir, signal });
    chmodSync(built, 0o755);
    const version = await checkedVersion(built, signal);
    const binary = join(cacheDir, `${program}-${version}`);
    // Atomic: a concurrent start sees no program or a whole one, and of two installers the later one wins.
    renameSync(built, binary);
    logger.info({ way: installer.way, version, seconds: seconds() }, 'installed nats-server');
    return binary;
  } finally {
    clearInterval(progress);
    rmSync(workDir, { recursive: true, force: true });
  }
}

async function checkedVersion(binary: string, signal: AbortSignal | undefined): Promise<string> {
  const version = await natsVersionOf(binary, signal);
  const { major, minor } = natsVersionMin;
  if (!versionAtLeast(version, major, minor)) {
    throw new Error(`version ${version} is older than ${String(major)}.${String(minor)}`);
  }
  return version;
}

function onPath(path: string): string[] {
  // A relative entry would make the answer depend on the directory that the service is started in.
  return path
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, program))
    .filter(isExecutableFile);
}

// Newest first, so that Debian's older one does not win over a later installation of the pinned one.
function inCache(cacheDir: string): string[] {
  if (!existsSync(cacheDir)) return [];
  return readdirSync(cacheDir)
    .filter((name) => name.startsWith(`${program}-`))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(cacheDir, name))
    .filter(isExecutableFile);
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function removeLeftovers(cacheDir: string): void {
  for (const name of readdirSync(cacheDir)) {
    const pid = Number(/^\.installing-(\d+)-/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}
