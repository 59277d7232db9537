/** A PostgreSQL of a suite's own, for what cannot be changed on the server that all suites share. */

import { chmod, chown, copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { freshDirectory, query, recordingLogger } from '../embedded/support.ts';

/** A file of test/database/certificates. */
export const certificate = (name: string): string =>
  fileURLToPath(new URL(`../database/certificates/${name}`, import.meta.url));

/** A server with TLS, a Unix socket, a database `book`, and the role `svc` that owns it. */
export interface PostgresServer {
  readonly port: number;
  /** The directory of the Unix socket. */
  readonly socketDir: string;
  /** Of `svc`. */
  readonly password: string;
  /** Runs statements as superuser and returns the rows of the last. */
  query(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Replaces the rules for everybody but the superuser. */
  setRules(...rules: string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one, with the rules of pg_hba.conf as hosters have them: over TCP with TLS only. */
export async function startPostgresServer(): Promise<PostgresServer> {
  // Not below the run's directory: the path of a socket is limited to 107 bytes.
  const socketDir = await mkdtemp(join(tmpdir(), 'charge-pg-'));
  await chmod(socketDir, 0o777);
  const dataDir = freshDirectory();
  const postgres = await startEmbeddedPostgres({
    dataDir,
    logger: recordingLogger(),
    settings: { unix_socket_directories: socketDir, fsync: 'off', shared_buffers: '64MB' },
  });
  const clusterDir = join(dataDir, 'postgres');
  const owner = await stat(clusterDir);
  const password = 'p@ss/w#rd?:%';
  const run = async (database: string, ...statements: string[]) => {
    const url = new URL(postgres.url);
    url.pathname = `/${database}`;
    return query(url.href, ...statements);
  };
  const setRules = async (...rules: string[]): Promise<void> => {
    const superuser = 'host all charge 127.0.0.1/32 scram-sha-256';
    await writeFile(join(clusterDir, 'pg_hba.conf'), [superuser, ...rules, ''].join('\n'));
    await run('postgres', 'SELECT pg_reload_conf()');
  };
  for (const name of ['authority.crt', 'server.crt', 'server.key']) {
    await copyFile(certificate(name), join(clusterDir, name));
    await chown(join(clusterDir, name), owner.uid, owner.gid);
    await chmod(join(clusterDir, name), 0o600);
  }
  await run('postgres', `CREATE ROLE svc LOGIN PASSWORD '${password}'`, 'CREATE DATABASE book OWNER svc');
  for (const [name, value] of Object.entries({
    ssl_cert_file: 'server.crt',
    ssl_key_file: 'server.key',
    ssl_ca_file: 'authority.crt',
    ssl: 'on',
  })) {
    await run('postgres', `ALTER SYSTEM SET ${name} = '${value}'`);
  }
  await setRules('local all svc scram-sha-256', 'hostssl all svc 127.0.0.1/32 scram-sha-256');
  return {
    port: postgres.port,
    socketDir,
    password,
    query: (...statements) => run('book', ...statements),
    setRules,
    stop: async () => {
      await postgres.stop();
      await rm(socketDir, { recursive: true, force: true });
    },
  };
}
