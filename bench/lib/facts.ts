/** The machine and the versions: figures mean nothing without them. */

import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { cpus, freemem, release, totalmem, type } from 'node:os';

import { type Environment, ROOT, withClient } from './environment.ts';

/** Written into the results. */
export type Facts = Readonly<Record<string, string | number>>;

/** Reads them. */
export async function readFacts(environment: Environment): Promise<Facts> {
  const [first] = cpus();
  return {
    date: new Date().toISOString(),
    commit: gitCommit(),
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memory_bytes: totalmem(),
    memory_free_bytes: freemem(),
    kernel: `${type()} ${release()}`,
    node: process.versions.node,
    postgresql: await postgresVersion(environment.postgres.url),
    'nats-server': environment.nats.version,
    file_system_type: `0x${statfsSync(environment.directory).type.toString(16)}`,
  };
}

function gitCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  try {
    const dirty = git('status', '--porcelain') === '' ? '' : ' with uncommitted changes';
    return `${git('rev-parse', '--short=12', 'HEAD')}${dirty}`;
  } catch {
    return 'unknown';
  }
}

function postgresVersion(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  });
}
