/** What the embedded PostgreSQL's starter has to know from the server itself: pid file, readiness, database. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { clusterUser } from './postgres-cluster.ts';
import { commandLineOf, isAlive } from './process.ts';

/** The lines of postmaster.pid that matter. The later ones are missing while the server starts. */
export interface PostmasterPid {
  pid: number;
  port: number | undefined;
  /** `starting`, `ready`, `stopping` or `standby`. */
  status: string | undefined;
}

/** Where to connect to. */
export interface Target {
  port: number;
  password: string;
}

const connectTimeoutMs = 2_000;

/** Reads postmaster.pid; undefined when there is none, or none that can be read. */
export function readPostmasterPid(clusterDir: string): PostmasterPid | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  // A negative number marks PostgreSQL's single-user mode.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  const port = Number.parseInt(lines[3] ?? '', 10);
  return { pid, port: port > 0 ? port : undefined, status: lines[7]?.trim() || undefined };
}

/** Whether the process is a live server on this very directory, and not a stranger that was given an old id. */
export async function isServerOn(pid: number, clusterDir: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  // PostgreSQL works inside its data directory. Reading that needs ptrace rights, which root in a container lacks.
  const workingDirectory = await readlink(`/proc/${String(pid)}/cwd`).catch(() => undefined);
  if (workingDirectory !== undefined) return workingDirectory === realpathSync(clusterDir);
  const commandLine = commandLineOf(pid);
  return commandLine === undefined || (commandLine.includes('postgres') && commandLine.includes(clusterDir));
}

/** What one attempt to connect found. */
export type ConnectResult =
  { state: 'ready' } | { state: 'notYet'; reason: string } | { state: 'refused'; reason: string };

/**
 * Connects once, verifies that the server works on `clusterDir` and creates `database` when it is missing.
 * `notYet` is worth another attempt, `refused` is final. Takes 2 s at most for each step.
 */
export async function tryConnect(
  target: Target,
  clusterDir: string,
  database: string,
): Promise<ConnectResult> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: target.port,
    user: clusterUser,
    password: target.password,
    database: 'postgres',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: 30_000,
  });
  // Without a listener a connection that breaks between two queries would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ directory: string; found: boolean }>(
      "SELECT current_setting('data_directory') AS directory, EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found",
      [database],
    );
    const directory = rows[0]?.directory ?? '';
    if (!existsSync(directory) || realpathSync(directory) !== realpathSync(clusterDir)) {
      return {
        state: 'refused',
        reason: `the server on port ${String(target.port)} works on ${directory}, not on ${clusterDir}`,
      };
    }
    if (rows[0]?.found !== true) await createDatabase(client, database);
    return { state: 'ready' };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === '28P01' || code === '28000') {
      return {
        state: 'refused',
        reason: `it does not accept the password in postgres.password (${message})`,
      };
    }
    return { state: 'notYet', reason: message };
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(client: pg.Client, database: string): Promise<void> {
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
  } catch (error) {
    // Another starter was faster: seen before (42P04) or at the unique index (23505).
    const { code } = error as { code?: string };
    if (code !== '42P04' && code !== '23505') throw error;
  }
}
