/** Finds out whether a session with PostgreSQL is ours alone. */

import type { Client } from 'pg';

import { clientFor } from './client.ts';
import { addressText, parseDatabaseUrl } from './database-url.ts';

const TIMEOUT_MS = 5_000;
/**
 * In which order two connections ask for their backend. It has no period: a pooler that hands out its idle backends in
 * any regular order gives one of the two another backend sooner or later.
 */
const ORDER = [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0] as const;

/**
 * Throws if the URL leads to a pooler that lends a session for one transaction or statement only. There, a
 * prepared statement or a lock of this service would be lost, and its settings would reach other clients. Throws also
 * if PostgreSQL cannot be reached. Leaves nothing behind in any session. Resolves to the host and database that it
 * reached, for people.
 */
export async function requireOwnSession(databaseUrl: string): Promise<string> {
  const address = parseDatabaseUrl(databaseUrl);
  const ConnectedClient = clientFor(address);
  const open = () =>
    new ConnectedClient({
      application_name: 'charge-service check',
      connectionTimeoutMillis: address.connectTimeoutMs ?? TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
    });
  const first = open();
  const second = open();
  try {
    await connect(first);
    // A pooler has process ids of its own.
    const reached = addressText({ hosts: [first], database: address.database });
    if ((await backendOf(first)) === processIdOf(first)) return reached;
    await connect(second);
    const clients = [first, second];
    const backends: (number | undefined)[] = [];
    for (const index of ORDER) {
      const backend = await backendOf(clients[index] as Client);
      if ((backends[index] ??= backend) !== backend || backends[0] === backends[1])
        throw new SharedSessionError();
    }
    return reached;
  } finally {
    await Promise.all([end(first), end(second)]);
  }
}

/** What an operator reads about a pooler in transaction mode. */
export class SharedSessionError extends Error {
  constructor() {
    super(
      'this is a pooler in transaction or statement mode, such as PgBouncer with pool_mode = transaction: connect to ' +
        'PostgreSQL directly, or through a pooler with pool_mode = session',
    );
    this.name = 'SharedSessionError';
  }
}

/** As the server told it when the connection was opened; the types do not have it. */
export function processIdOf(client: object): number {
  return (client as { readonly processID?: number | null }).processID ?? 0;
}

async function connect(client: Client): Promise<void> {
  await client.connect();
  // Without a listener, a connection that breaks between two queries would end the process.
  client.on('error', () => undefined);
}

async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}

async function end(client: Client): Promise<void> {
  // One that has not connected has nothing to end, and would not tell when it has.
  if (processIdOf(client) !== 0) await client.end().catch(() => undefined);
}
