/** A migrated database with the parts of the store on it, for a suite. */

import type { Pool } from 'pg';

import type { ChargeContent, ChargeRequest } from '../../src/charges/charge.ts';
import { BookFollower } from '../../src/journal/follower.ts';
import { createChargeReader } from '../../src/charges/store/charge-reader.ts';
import {
  GroupWriter,
  type GroupWriterEvents,
  type GroupWriterOptions,
} from '../../src/charges/store/group-writer.ts';
import { openPool } from '../../src/database/connections.ts';
import { migrate } from '../../src/database/migrate.ts';
import { type Database, openDatabase, type StoreOptions } from '../../src/database/orm.ts';
import { ReadConnections } from '../../src/database/read-connections.ts';
import { createTestDatabase } from './database.ts';

/** An open store on a database of its own. */
export interface TestStore {
  readonly url: string;
  readonly database: Database;
  readonly writePool: Pool;
  /** Of `database`. */
  readonly reads: ReadConnections;
  readonly writer: GroupWriter;
  readonly book: BookFollower;
  readonly reader: ReturnType<typeof createChargeReader>;
  /** Another writer on the same database, as another process would be: nobody here hears of its commits. */
  anotherWriter(
    options?: Partial<GroupWriterOptions>,
    committed?: GroupWriterEvents['committed'],
  ): GroupWriter;
  close(): Promise<void>;
}

/** How a server process connects, with other bounds where given. */
export function connectionTo(url: string, bounds: Partial<StoreOptions> = {}): StoreOptions {
  return {
    databaseUrl: url,
    poolSizeMax: 6,
    durableCommits: true,
    statementTimeoutMs: 10_000,
    connectTimeoutMs: 5_000,
    applicationName: 'test',
    ...bounds,
  };
}

/** Opens a database like a server process does, with other bounds where given. */
export function openTestDatabase(url: string, bounds: Partial<StoreOptions> = {}): Promise<Database> {
  return openDatabase(connectionTo(url, bounds));
}

/** Creates, migrates and opens. `close()` also drops the database. */
export async function openTestStore(): Promise<TestStore> {
  const testDatabase = await createTestDatabase();
  await migrate(testDatabase.url, { lockTimeoutMs: 30_000 });
  const database = await openTestDatabase(testDatabase.url);
  const writePool = openPool(connectionTo(testDatabase.url, { poolSizeMax: 4 }));
  const reads = new ReadConnections(database.pool, 100);
  const book = new BookFollower(reads, writePool, { pollMs: 50 });
  const newWriter = (options: Partial<GroupWriterOptions>, committed: GroupWriterEvents['committed']) =>
    new GroupWriter(
      writePool,
      {
        writers: 2,
        groupSizeMax: 1000,
        queueSizeMax: 10_000,
        retryForMs: 5_000,
        retryAfterMs: 100,
        ...options,
      },
      { committed, attempted: () => undefined },
    );
  return {
    url: testDatabase.url,
    database,
    writePool,
    reads,
    writer: newWriter({}, (entries) => {
      const last = entries.at(-1);
      if (last !== undefined) book.advanced(last.tenant, last.sequence);
    }),
    book,
    reader: createChargeReader(database.orm, reads),
    anotherWriter: (options = {}, committed = () => undefined) => newWriter(options, committed),
    close: async () => {
      book.close();
      await writePool.end();
      await database.close();
      await testDatabase.drop();
    },
  };
}

/** A valid request; `content` replaces what a test cares about. */
export function chargeRequest(requestId: string, content: Partial<ChargeContent> = {}): ChargeRequest {
  const tokens = { promptTokens: 374n, completionTokens: 44n, ...content };
  return {
    requestId,
    content: {
      userProfile: 'alice',
      sessionKey: '',
      provider: 1,
      otherProvider: '',
      chargeType: 1,
      totalTokens: tokens.promptTokens + tokens.completionTokens,
      tokenDetails: undefined,
      model: 'gpt-4o',
      reference: '',
      labels: new Map(),
      usageTimeMicros: undefined,
      ...tokens,
    },
  };
}
