import { afterEach, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findNatsServer, NatsServerUnavailableError } from '../../src/embedded/nats-binary.ts';
import {
  installFromDebian,
  installFromRelease,
  installWithGo,
  officialRelease,
  type Release,
} from '../../src/embedded/nats-install.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { waitFor } from '../support/wait-for.ts';
import { freshDirectory, recordingLogger, writeScript } from './support.ts';

const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
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

// The PATH of a machine that has tar and nothing else.
function bareEnvironment(): NodeJS.ProcessEnv {
  const directory = freshDirectory();
  for (const name of ['tar', 'gzip']) {
    const real = execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    writeScript(join(directory, name), `PATH=${process.env['PATH'] ?? ''} exec ${real} "$@"`);
  }
  return { PATH: directory };
}

function tarball(version: string): Buffer {
  const directory = freshDirectory();
  const name = `nats-server-v${version}-${platform}`;
  fakeServer(join(directory, name, 'nats-server'), version);
  execFileSync('tar', ['-czf', 'release.tar.gz', name], { cwd: directory });
  return readFileSync(join(directory, 'release.tar.gz'));
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

async function releaseOf(version: string, body: Buffer, sha256?: string): Promise<Release> {
  const path = `/v${version}/nats-server-v${version}-${platform}.tar.gz`;
  const baseUrl = await serve((request, response) => {
    if (request.url === path) response.end(body);
    else response.writeHead(404).end();
  });
  return {
    version,
    baseUrl,
    sha256: { [platform]: sha256 ?? createHash('sha256').update(body).digest('hex') },
  };
}

test('takes the program on PATH, and passes over one that is too old or broken', async () => {
  const [old, broken, good] = [freshDirectory(), freshDirectory(), freshDirectory()];
  fakeServer(join(old, 'nats-server'), '2.8.4');
  writeScript(join(broken, 'nats-server'), 'exit 1');
  const expected = fakeServer(join(good, 'nats-server'), '2.9.10');
  const env = { PATH: [old, broken, good].join(':') };
  expect(await findNatsServer({ cacheDir: freshDirectory(), logger, env })).toBe(expected);
});

test('takes the newest program of the cache that works', async () => {
  const cacheDir = freshDirectory();
  fakeServer(join(cacheDir, 'nats-server-2.9.10'), '2.9.10');
  const expected = fakeServer(join(cacheDir, 'nats-server-2.12.15'), '2.12.15');
  writeScript(join(cacheDir, 'nats-server-2.13.0'), 'exit 1');
  expect(await findNatsServer({ cacheDir, logger, env: { PATH: '' } })).toBe(expected);
});

test('installs a release with the right checksum into the cache and finds it there the next time', async () => {
  const cacheDir = join(freshDirectory(), 'cache');
  const release = await releaseOf('2.99.1', tarball('2.99.1'));
  const env = bareEnvironment();
  const installers = [installFromRelease];
  const expected = join(cacheDir, 'nats-server-2.99.1');
  const concurrent = await Promise.all(
    [1, 2].map(() => findNatsServer({ cacheDir, logger, env, release, installers })),
  );
  expect(concurrent).toEqual([expected, expected]);
  expect(readdirSync(cacheDir)).toEqual(['nats-server-2.99.1']);
  expect(await findNatsServer({ cacheDir, logger, env, installers: [] })).toBe(expected);
});

test('refuses a release with another checksum and leaves nothing in the cache', async () => {
  const cacheDir = freshDirectory();
  const release = await releaseOf('2.99.1', tarball('2.99.1'), officialRelease.sha256['linux-amd64']);
  const found = findNatsServer({
    cacheDir,
    logger,
    env: bareEnvironment(),
    release,
    installers: [installFromRelease],
  });
  await expect(found).rejects.toThrow(/wrong SHA-256/);
  expect(readdirSync(cacheDir)).toEqual([]);
});

test('does not download for a platform without a known checksum', async () => {
  let requests = 0;
  const baseUrl = await serve((_, response) => {
    requests += 1;
    response.end();
  });
  const release = { version: '2.99.1', baseUrl, sha256: {} };
  const found = findNatsServer({
    cacheDir: freshDirectory(),
    logger,
    env: {},
    release,
    installers: [installFromRelease],
  });
  await expect(found).rejects.toThrow(/no release with a known checksum/);
  expect(requests).toBe(0);
});

test('gives up on a server that accepts and says nothing', async () => {
  const baseUrl = await serve(() => undefined);
  const release = { version: '2.99.1', baseUrl, sha256: { [platform]: 'x' } };
  const startedAtMs = performance.now();
  const found = findNatsServer({
    cacheDir: freshDirectory(),
    logger,
    env: {},
    release,
    installers: [installFromRelease],
  });
  await expect(found).rejects.toThrow(/no answer within 5000 ms/);
  expect(performance.now() - startedAtMs).toBeLessThan(8_000);
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
  const installers = [installFromRelease, installWithGo];
  expect(await findNatsServer({ cacheDir, logger, env, release, installers })).toBe(
    join(cacheDir, 'nats-server-2.99.2'),
  );
  expect(readFileSync(log, 'utf8')).toBe(
    'install -trimpath github.com/nats-io/nats-server/v2@v2.99.2 0 []\n',
  );
});

test('a search that is stopped leaves no program at work and no directory, and tries no other way', async () => {
  const cacheDir = freshDirectory();
  const bin = freshDirectory();
  const pids = join(bin, 'pids');
  writeScript(join(bin, 'go'), `/bin/sleep 60 & echo "$$ $!" > ${pids}; wait`);
  const stopping = new AbortController();
  const found = findNatsServer({
    cacheDir,
    logger,
    env: { PATH: bin },
    installers: [installWithGo, installFromDebian],
    signal: stopping.signal,
  }).catch((error: unknown) => error);
  const text = await waitFor('Go and its child', () => /^\d+ \d+\n/.exec(readFileSync(pids, 'utf8'))?.[0]);
  stopping.abort();
  expect(await found).toBe(stopping.signal.reason);
  for (const pid of text.trim().split(' ')) {
    await waitFor(`the end of ${pid}`, () => !isAlive(Number(pid)));
  }
  expect(readdirSync(cacheDir)).toEqual([]);
});

test("unpacks Debian's package without installing it", async () => {
  const cacheDir = freshDirectory();
  const bin = freshDirectory();
  writeScript(
    join(bin, 'apt-get'),
    '[ "$*" = "download nats-server" ] && echo > nats-server_2.9.10_amd64.deb',
  );
  writeScript(
    join(bin, 'dpkg'),
    `[ "$1" = -x ] || exit 1\nPATH=/bin:/usr/bin\nmkdir -p "$3/usr/sbin"\nprintf '#!/bin/sh\\necho nats-server: v2.9.10\\n' > "$3/usr/sbin/nats-server"`,
  );
  const found = findNatsServer({ cacheDir, logger, env: { PATH: bin }, installers: [installFromDebian] });
  expect(await found).toBe(join(cacheDir, 'nats-server-2.9.10'));
  expect(readdirSync(cacheDir)).toEqual(['nats-server-2.9.10']);
});

test('lists every way with its reason and the remedy when none works', async () => {
  const cacheDir = freshDirectory();
  mkdirSync(join(cacheDir, '.installing-4194305-left-by-a-dead-process'));
  const release = await releaseOf('2.99.1', Buffer.alloc(0), 'x');
  const error: unknown = await findNatsServer({
    cacheDir,
    logger,
    env: { PATH: freshDirectory() },
    release: { ...release, version: '2.99.9' },
  }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NatsServerUnavailableError);
  const { message } = error as NatsServerUnavailableError;
  for (const part of [
    '- PATH: no nats-server on PATH',
    `- cache: none in ${cacheDir}`,
    process.platform === 'linux' ? 'HTTP status 404' : '- official release:',
    '- go install: there is no go on PATH',
    "- Debian's package: there is no apt-get on PATH",
    'set NATS_URL',
  ]) {
    expect(message).toContain(part);
  }
  expect(readdirSync(cacheDir)).toEqual([]);
});
