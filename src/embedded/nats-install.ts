/** The ways to get a nats-server program onto a machine without touching its system. */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandError, runCommand } from './command.ts';

/** A pinned release: where it is, and the SHA-256 of each tarball by `<os>-<arch>`. Others are not tried. */
export interface Release {
  version: string;
  baseUrl: string;
  sha256: Readonly<Record<string, string>>;
}

/** What an installer works with. */
export interface Installation {
  /** An empty directory of its own, removed afterwards. */
  workDir: string;
  /** Environment whose PATH finds the helper programs. */
  env: NodeJS.ProcessEnv;
  release: Release;
  /** Ends the installation: every program that it has started, and a download. */
  signal?: AbortSignal | undefined;
}

/** One way to install. `run` returns the program's path below `workDir`, or throws with a reason for people. */
export interface Installer {
  way: string;
  run(installation: Installation): Promise<string>;
}

/** The release that this service is tested with. */
export const officialRelease: Release = {
  version: '2.12.15',
  baseUrl: 'https://github.com/nats-io/nats-server/releases/download',
  sha256: {
    'linux-amd64': '58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e',
    'linux-arm64': 'b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6',
  },
};

const headersTimeoutMs = 5_000;
const downloadTimeoutMs = 120_000;
const downloadBytesMax = 64 * 1024 ** 2;
const unpackTimeoutMs = 30_000;
const goTimeoutMs = 300_000;
const aptTimeoutMs = 60_000;

/** Downloads the pinned release (5 s to the first byte, 120 s in all, 64 MiB) and checks its SHA-256. */
export const installFromRelease: Installer = {
  way: 'official release',
  run: async ({ workDir, env, release, signal }) => {
    const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
    const platform = `${process.platform}-${arch}`;
    const expected = release.sha256[platform];
    if (expected === undefined) throw new Error(`no release with a known checksum for ${platform}`);
    const name = `nats-server-v${release.version}-${platform}`;
    const archive = join(workDir, 'release.tar.gz');
    const url = `${release.baseUrl}/v${release.version}/${name}.tar.gz`;
    const actual = await download(url, archive, signal);
    if (actual !== expected)
      throw new Error(`${url} has the wrong SHA-256: ${actual} instead of ${expected}`);
    const member = `${name}/nats-server`;
    await runCommand('tar', ['-xzf', archive, '-C', workDir, '--no-same-owner', member], {
      env: pathOnly(env),
      timeoutMs: unpackTimeoutMs,
      signal,
    });
    return join(workDir, member);
  },
};

/** Builds the pinned version with the Go that is on PATH: about 40 s and 100 MB of Go's own caches. */
export const installWithGo: Installer = {
  way: 'go install',
  run: async ({ workDir, env, release, signal }) => {
    requireProgram('go', env);
    const module = `github.com/nats-io/nats-server/v2@v${release.version}`;
    await runCommand('go', ['install', '-trimpath', module], {
      cwd: workDir,
      // A C compiler is not needed, so its absence must not matter. A target set for other builds must not either.
      env: { ...goEnvironment(env), GOBIN: workDir, CGO_ENABLED: '0', GOOS: '', GOARCH: '' },
      timeoutMs: goTimeoutMs,
      signal,
    });
    return join(workDir, 'nats-server');
  },
};

/** Takes the program out of Debian's package, which apt verifies; nothing is installed in the system. */
export const installFromDebian: Installer = {
  way: "Debian's package",
  run: async ({ workDir, env, signal }) => {
    requireProgram('apt-get', env);
    requireProgram('dpkg', env);
    const options = { cwd: workDir, env: pathOnly(env), signal };
    await runCommand('apt-get', ['download', 'nats-server'], { ...options, timeoutMs: aptTimeoutMs });
    const archive = readdirSync(workDir).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get downloaded nothing');
    await runCommand('dpkg', ['-x', join(workDir, archive), workDir], {
      ...options,
      timeoutMs: unpackTimeoutMs,
    });
    const binary = ['usr/sbin', 'usr/bin']
      .map((directory) => join(workDir, directory, 'nats-server'))
      .find((path) => existsSync(path));
    if (binary === undefined) throw new Error(`${archive} holds no nats-server`);
    return binary;
  },
};

async function download(url: string, path: string, stopping: AbortSignal | undefined): Promise<string> {
  const controller = new AbortController();
  // `fetch` has no timeout of its own for connecting: without this a firewall that drops packets costs minutes.
  const abort = (what: string): void => {
    controller.abort(new Error(what));
  };
  const headersTimer = setTimeout(abort, headersTimeoutMs, `no answer within ${String(headersTimeoutMs)} ms`);
  const totalTimer = setTimeout(
    abort,
    downloadTimeoutMs,
    `not finished within ${String(downloadTimeoutMs)} ms`,
  );
  const signal = AbortSignal.any([controller.signal, ...(stopping === undefined ? [] : [stopping])]);
  try {
    const response = await fetch(url, { signal });
    clearTimeout(headersTimer);
    if (!response.ok || response.body === null) throw new Error(`HTTP status ${String(response.status)}`);
    const hash = createHash('sha256');
    let bytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        hash.update(chunk);
        done(
          bytes > downloadBytesMax ? new Error(`more than ${String(downloadBytesMax)} bytes`) : null,
          chunk,
        );
      },
    });
    await pipeline(Readable.fromWeb(response.body), meter, createWriteStream(path), { signal });
    return hash.digest('hex');
  } catch (error) {
    const { aborted, reason } = signal as { aborted: boolean; reason: unknown };
    const cause = aborted ? reason : ((error as Error).cause ?? error);
    throw new Error(`${url}: ${(cause as Error).message}`);
  } finally {
    clearTimeout(headersTimer);
    clearTimeout(totalTimer);
  }
}

function requireProgram(name: string, env: NodeJS.ProcessEnv): void {
  const directories = (env['PATH'] ?? '').split(':').filter((directory) => directory !== '');
  if (!directories.some((directory) => existsSync(join(directory, name)))) {
    throw new CommandError(`there is no ${name} on PATH`);
  }
}

function pathOnly(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PATH: env['PATH'] ?? '', LC_ALL: 'C' };
}

// What Go needs to find its caches, proxies and certificates, without the service's own secrets.
function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const wanted = /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|GO[A-Z0-9]*|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => wanted.test(name)));
}
