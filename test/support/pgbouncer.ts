/** A PgBouncer in front of one database. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

import { freshDirectory, query } from '../embedded/support.ts';
import { waitFor } from './wait-for.ts';

/** A running pooler. */
export interface Pgbouncer {
  /** The database through the pooler. */
  readonly url: string;
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
  const port = await freePort();
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'any',
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
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${port}`;
  await waitFor('pgbouncer', () => query(url.href, 'SELECT 1').then(() => true));
  return {
    url: url.href,
    stop: () => stop(child),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
}
