import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { DataDirInUseError, lockDataDir } from '../../src/embedded/data-dir.ts';
import { startTimeOf } from '../../src/embedded/process.ts';
import { freshDirectory, runModule } from './support.ts';

const children: ChildProcess[] = [];
const lockAndWait = (directory: string): string => `
  const { lockDataDir } = await import(root + 'src/embedded/data-dir.ts');
  try { lockDataDir(${JSON.stringify(directory)}); console.log('locked'); } catch (error) { console.log(error.message); }
  setInterval(() => {}, 1000);`;

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function runLocker(directory: string): Promise<{ child: ChildProcess; line: string }> {
  const started = await runModule(lockAndWait(directory));
  children.push(started.child);
  return started;
}

test('creates the directory and leaves nothing behind after release', () => {
  const directory = join(freshDirectory(), 'deep', 'data');
  const lock = lockDataDir(directory);
  expect(lock.dataDir).toBe(directory);
  expect(readdirSync(directory)).toEqual(['service.lock']);
  lock.release();
  lock.release();
  expect(readdirSync(directory)).toEqual([]);
});

test('refuses a second service with a message that names the first one', async () => {
  const directory = freshDirectory();
  const { child, line } = await runLocker(directory);
  expect(line).toBe('locked');
  expect(() => lockDataDir(directory)).toThrow(DataDirInUseError);
  expect(() => lockDataDir(directory)).toThrow(`process id ${String(child.pid)} `);
});

test('takes over the lock of a service that was killed', async () => {
  const directory = freshDirectory();
  const { child } = await runLocker(directory);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(join(directory, 'service.lock'))).toBe(true);
  const lock = lockDataDir(directory);
  expect(readdirSync(directory)).toEqual(['service.lock']);
  lock.release();
});

test('takes over a lock whose process id belongs to another process by now', async () => {
  const directory = freshDirectory();
  const stranger = spawn('sleep', ['60']);
  children.push(stranger);
  await once(stranger, 'spawn');
  const path = join(directory, 'service.lock');
  const owner = { pid: stranger.pid, startTime: startTimeOf(stranger.pid ?? 0), id: crypto.randomUUID() };
  writeFileSync(path, JSON.stringify(owner));
  expect(() => lockDataDir(directory)).toThrow(DataDirInUseError);
  writeFileSync(path, JSON.stringify({ ...owner, startTime: 'an earlier one' }));
  lockDataDir(directory).release();
});

test('takes over a lock file with broken content', () => {
  const directory = freshDirectory();
  writeFileSync(join(directory, 'service.lock'), '{"pid": ');
  lockDataDir(directory).release();
  expect(readdirSync(directory)).toEqual([]);
});

test('finishes a takeover in the middle of which a process was killed', () => {
  const directory = freshDirectory();
  const dead = (id: string): string => JSON.stringify({ pid: 2 ** 22 + 1, startTime: 'x', id });
  const first = crypto.randomUUID();
  writeFileSync(join(directory, 'service.lock'), dead(first));
  writeFileSync(join(directory, `service.lock.${first}`), dead(crypto.randomUUID()));
  lockDataDir(directory).release();
  expect(readdirSync(directory)).toEqual([]);
});

test('gives a dead lock to exactly one of several services that race for it', async () => {
  const directory = freshDirectory();
  writeFileSync(
    join(directory, 'service.lock'),
    JSON.stringify({ pid: 2 ** 22 + 1, startTime: 'x', id: crypto.randomUUID() }),
  );
  const lines = (await Promise.all(Array.from({ length: 6 }, () => runLocker(directory)))).map(
    ({ line }) => line,
  );
  expect(lines.filter((line) => line === 'locked')).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('DATA_DIR is in use'))).toHaveLength(5);
});

test('release does not remove the lock of another service', () => {
  const directory = freshDirectory();
  const lock = lockDataDir(directory);
  const path = join(directory, 'service.lock');
  writeFileSync(path, 'another');
  lock.release();
  expect(readFileSync(path, 'utf8')).toBe('another');
});
