/** A PgBouncer in front of one database. */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client } from 'pg';

import { freshDirectory } from '../embedded/support.ts';
import { waitFor } from './wait-for.ts';

/** A running pooler. */
export interface Pgbouncer {
  /** The database through the pooler. */
  readonly url: string;
  /** Changes settings of the pooler while clients are connected. */
  set(settings: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the program at `path` on a free port, with these settings, in front of the database of `databaseUrl`. */
export async function startPgbouncer(
  path: string,
  databaseUrl: string,
  settings: Readonly<Record<string, string>>,
): Promise<Pgbouncer> {
  const target = new URL(databaseUrl);
  const name = target.pathname.slice(1);
  const server = `host=${target.hostname} port=${target.port} user=${target.username} password='${target.password}'`;
  const configFile = join(freshDirectory(), 'pgbouncer.ini');
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'any',
    admin_users: 'admin',
    server_tls_sslmode: 'disable',
    ...settings,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(configFile, ['[databases]', `${name} = ${server}`, '[pgbouncer]', ...lines, ''].join('\n'));
  chmodSync(configFile, 0o644);
  const user = process.geteuid?.() === 0 ? ['-u', 'nobody'] : [];
  // The shell ends it when its standard input closes: at the latest with this process.
  const child = spawn(
    '/bin/sh',
    ['-c', '"$@" & cat; kill $!; wait $!', 'sh', path, '-q', ...user, configFile],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  const admin = async (...statements: string[]): Promise<void> => {
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: 'admin',
      password: 'x',
      database: 'pgbouncer',
    });
    client.on('error', () => undefined);
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  await waitFor('pgbouncer', () => admin('SHOW VERSION').then(() => true));
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    set: (changed) => admin(...Object.entries(changed).map(([key, value]) => `SET ${key} = '${value}'`)),
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
}
