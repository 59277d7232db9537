/** What the start of the embedded PostgreSQL asks the server: its pid file, whether it answers, the database. */
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { clientFor } from '../database/client.ts';
import { parseDatabaseUrl } from '../database/database-url.ts';
import { clusterUser } from './postgres-cluster.ts';
import { commandLineOf, isAlive } from './process.ts';

/** The lines of postmaster.pid that matter. The later ones are missing while the server starts. */
export interface PostmasterPid {
  pid: number;
  port: number;
  /** `starting`, `ready`, `stopping` or `standby`. */
  status: string | undefined;
}

/** The database of the service in the embedded PostgreSQL. */
export const databaseName = 'charge';

/** The connection string of the embedded PostgreSQL, with the password: never log it. It offers no TLS. */
export function clusterUrl(port: number, password: string, database = databaseName): string {
  const login = `${clusterUser}:${encodeURIComponent(password)}`;
  return `postgresql://${login}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

const connectTimeoutMs = 2_000;
const queryTimeoutMs = 30_000;
const invalidPassword = '28P01';

/** Reads postmaster.pid. Undefined if there is none, or it cannot be read. */
export function readPostmasterPid(clusterDir: string): PostmasterPid | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  // A negative number stands for PostgreSQL's single-user mode.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  if (!(pid > 0)) return undefined;
  return { pid, port: Number.parseInt(lines[3] ?? '', 10), status: lines[7]?.trim() };
}

/** Whether the process is a running server on this directory, and not another program that has the same id now. */
export function isServerOn(pid: number, clusterDir: string): boolean {
  if (!isAlive(pid)) return false;
  try {
    // PostgreSQL works inside its data directory.
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterDir);
  } catch {
    // macOS has no /proc, and in a container even root may not read this link.
    const commandLine = commandLineOf(pid);
    return (
      commandLine === undefined || (commandLine.includes('postgres') && commandLine.includes(clusterDir))
    );
  }
}

/**
 * Connects once and creates the database if it is missing. Resolves to undefined if that worked, else to the reason;
 * then another attempt is worthwhile. Throws if the server refuses the password. Takes 2 s at most to connect.
 */
export async function tryConnect(port: number, password: string): Promise<string | undefined> {
  const Client = clientFor(parseDatabaseUrl(clusterUrl(port, password, 'postgres')));
  const client = new Client({ connectionTimeoutMillis: connectTimeoutMs, query_timeout: queryTimeoutMs });
  try {
    await client.connect();
    // Without a listener a connection that breaks between two queries would end the process.
    client.on('error', () => undefined);
    const found = await client.query('SELECT FROM pg_database WHERE datname = $1', [databaseName]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`);
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code !== invalidPassword) return message;
    throw new Error(`PostgreSQL does not accept the password in postgres.password (${message})`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
