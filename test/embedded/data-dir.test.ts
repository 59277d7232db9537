import { afterEach, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockDataDir } from '../../src/embedded/data-dir.ts';
import { freshDirectory, runModule } from './support.ts';

const children: ChildProcess[] = [];
const lockAndWait = (directory: string): string => `
  const { lockDataDir } = await import(root + 'src/embedded/data-dir.ts');
  try { lockDataDir(${JSON.stringify(directory)}); globalThis.gc(); console.log('locked'); }
  catch (error) { console.log(error.message); }
  setInterval(() => {}, 1000);`;

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function runLocker(directory: string): Promise<{ child: ChildProcess; line: string }> {
  const started = await runModule(lockAndWait(directory), ['--expose-gc']);
  children.push(started.child);
  return started;
}

test('creates the directory so that others may pass through it and not list it', () => {
  const directory = join(freshDirectory(), 'deep', 'data');
  const lock = lockDataDir(directory);
  expect(lock.dataDir).toBe(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o711);
  lock.release();
});

test('refuses a second service with a message that names the first one', async () => {
  const directory = freshDirectory();
  const { child, line } = await runLocker(directory);
  expect(line).toBe('locked');
  expect(() => lockDataDir(directory)).toThrow(
    `DATA_DIR is in use by the service with process id ${child.pid} (`,
  );
  // And the attempt has taken nothing from the first one.
  expect(() => lockDataDir(directory)).toThrow('is in use');
  expect((await runLocker(directory)).line).toContain('is in use');
});

test('a second lock in the same process is refused, and releasing twice releases nothing of a later one', () => {
  const directory = freshDirectory();
  const lock = lockDataDir(directory);
  expect(() => lockDataDir(directory)).toThrow(`process id ${process.pid} `);
  lock.release();
  const later = lockDataDir(directory);
  lock.release();
  expect(() => lockDataDir(directory)).toThrow('is in use');
  later.release();
});

test('a killed service leaves no lock, whatever its files say', async () => {
  const directory = freshDirectory();
  const { child } = await runLocker(directory);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(join(directory, 'service.pid'))).toBe(true);
  // The id may belong to another program by now.
  writeFileSync(join(directory, 'service.pid'), `${process.pid}\n`);
  lockDataDir(directory).release();
});

test('the files of the lock stay empty and few', () => {
  const directory = freshDirectory();
  const lock = lockDataDir(directory);
  expect(readdirSync(directory).sort()).toEqual(['service.lock.sqlite', 'service.pid']);
  expect(readFileSync(join(directory, 'service.pid'), 'utf8')).toBe(`${process.pid}\n`);
  lock.release();
  expect(readdirSync(directory)).toEqual(['service.lock.sqlite']);
  expect(statSync(join(directory, 'service.lock.sqlite')).size).toBe(0);
});

test('of several services that start at once, exactly one gets the lock of a killed one', async () => {
  const directory = freshDirectory();
  const { child } = await runLocker(directory);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lines = (await Promise.all(Array.from({ length: 6 }, () => runLocker(directory)))).map(
    ({ line }) => line,
  );
  expect(lines.filter((line) => line === 'locked')).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('DATA_DIR is in use'))).toHaveLength(5);
});

test('a lock that cannot be made is named', () => {
  const directory = freshDirectory();
  mkdirSync(join(directory, 'service.lock.sqlite'));
  expect(() => lockDataDir(directory)).toThrow(
    `${join(directory, 'service.lock.sqlite')} cannot be locked: `,
  );
});

test('a directory that cannot be written is named', () => {
  expect(() => lockDataDir('/dev/null/data')).toThrow('DATA_DIR cannot be written: /dev/null/data (ENOTDIR)');
});
