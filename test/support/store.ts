/** A migrated database with the parts of the store on it, for a suite. */

import type { Charge, ChargeContent, ChargeRequest } from '../../src/charges/charge.ts';
import { chargeEntities } from '../../src/charges/entity.ts';
import type { ChargeEvent, JournalEvent } from '../../src/charges/charge-event.ts';
import type { Administrator, ChargeCorrector, ChargeReader, JournalReader } from '../../src/charges/ports.ts';
import { ChargeEventReader } from '../../src/charges/store/charge-events.ts';
import { createChargeReader } from '../../src/charges/store/charge-reader.ts';
import { CorrectionWriter } from '../../src/charges/store/correction-writer.ts';
import {
  GroupWriter,
  type GroupWriterEvents,
  type GroupWriterOptions,
} from '../../src/charges/store/group-writer.ts';
import { type Database, type DatabaseOptions, openDatabase } from '../../src/database/orm.ts';
import { ReadConnections } from '../../src/database/read-connections.ts';
import { journalEntities } from '../../src/journal/entity.ts';
import { JournalFollower } from '../../src/journal/follower.ts';
import { priceEntities } from '../../src/prices/entity.ts';
import type { PriceCall } from '../../src/prices/ports.ts';
import { PriceBooks } from '../../src/prices/store/price-books.ts';
import { relayEntities } from '../../src/relay/entity.ts';
import { tenantEntities } from '../../src/tenants/entity.ts';
import { usageEntities } from '../../src/usage/entity.ts';
import { createMigratedDatabase } from './database.ts';

/** An open store on a database of its own. */
export interface TestStore {
  readonly url: string;
  readonly database: Database;
  /** The connections of the writers. */
  readonly writes: Database;
  /** Its sessions see every tenant, as those of the relay do. */
  readonly everyTenant: Database;
  /** Its sessions may do everything and see everything: for a look at the tables. */
  readonly owner: Database;
  /** On `database`. */
  readonly reads: ReadConnections;
  readonly writer: GroupWriter;
  readonly corrector: ChargeCorrector;
  readonly journal: JournalReader;
  readonly reader: ChargeReader;
  /** Another writer on the same database, as another process would be: nobody here hears of its commits. */
  anotherWriter(
    options?: Partial<GroupWriterOptions>,
    committed?: GroupWriterEvents['committed'],
  ): GroupWriter;
  /** Another corrector: nobody but `committed` hears of its commits. */
  anotherCorrector(committed: GroupWriterEvents['committed']): ChargeCorrector;
  close(): Promise<void>;
}

/** How a server process connects; `bounds` replaces its defaults. */
export function connectionTo(url: string, bounds: Partial<DatabaseOptions> = {}): DatabaseOptions {
  return {
    databaseUrl: url,
    poolSizeMax: 6,
    entities: [
      ...chargeEntities,
      ...journalEntities,
      ...priceEntities,
      ...relayEntities,
      ...tenantEntities,
      ...usageEntities,
    ],
    statementTimeoutMs: 10_000,
    connectTimeoutMs: 5_000,
    applicationName: 'test',
    ...bounds,
  };
}

/** Opens a database as a server process does; `bounds` replaces its defaults. */
export function openTestDatabase(url: string, bounds: Partial<DatabaseOptions> = {}): Promise<Database> {
  return openDatabase(connectionTo(url, bounds));
}

/** Creates a database and opens it. `close()` also drops it. */
export async function openTestStore(): Promise<TestStore> {
  const testDatabase = await createMigratedDatabase();
  const database = await openTestDatabase(testDatabase.url);
  const writes = await openTestDatabase(testDatabase.url, { poolSizeMax: 4 });
  const everyTenant = await openTestDatabase(testDatabase.url, { everyTenant: true });
  const owner = await openTestDatabase(testDatabase.url, { poolSizeMax: 2, asLoginRole: true, entities: [] });
  const corrections = await openTestDatabase(testDatabase.url, { poolSizeMax: 1 });
  const reads = new ReadConnections(database, 100);
  const follower = new JournalFollower(everyTenant, { pollMs: 50 });
  const prices = new PriceBooks(database.em, () => undefined);
  const newWriter = (options: Partial<GroupWriterOptions>, committed: GroupWriterEvents['committed']) =>
    new GroupWriter(
      writes,
      prices,
      {
        writers: 2,
        groupSizeMax: 1000,
        queueSizeMax: 10_000,
        retryForMs: 5_000,
        retryAfterMs: 100,
        unknownUserProfilesOf: () => 0,
        ...options,
      },
      { committed, recorded: () => undefined, attempted: () => undefined },
    );
  const newCorrector = (committed: GroupWriterEvents['committed']) =>
    new CorrectionWriter(
      corrections,
      prices,
      {
        groupSizeMax: 100,
        queueSizeMax: 10_000,
        retryForMs: 5_000,
        retryAfterMs: 100,
        unknownUserProfilesOf: () => 0,
      },
      { committed },
    );
  const committed = (events: readonly ChargeEvent[]): void => {
    const last = events.at(-1);
    if (last !== undefined) follower.advanced(last.tenant, last.sequence);
  };
  return {
    url: testDatabase.url,
    database,
    writes,
    everyTenant,
    owner,
    reads,
    writer: newWriter({}, committed),
    journal: new ChargeEventReader(reads, follower),
    corrector: newCorrector(committed),
    reader: createChargeReader(reads, prices),
    anotherWriter: (options = {}, committed = () => undefined) => newWriter(options, committed),
    anotherCorrector: newCorrector,
    close: async () => {
      follower.close();
      await corrections.close();
      await writes.close();
      await everyTenant.close();
      await owner.close();
      await database.close();
      await testDatabase.drop();
    },
  };
}

/** A reader with connections and price versions of its own. */
export function readerOf(
  reads: ReadConnections,
  database: Database,
  options?: Parameters<typeof createChargeReader>[2],
): ChargeReader {
  return createChargeReader(reads, new PriceBooks(database.em, () => undefined), options);
}

/** Who corrects, closes periods and archives in a test. */
export const ADMINISTRATOR: Administrator = {
  principal: { tenant: 'default', name: 'test' },
  peer: '',
  aborted: false,
};

/** How a price is added in a test. */
export const PRICE_CALL: PriceCall = { actor: ADMINISTRATOR, method: 'CreatePrice' };

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
      serviceTier: 1,
      region: '',
      quantities: new Map(),
      reportedCost: undefined,
      callOutcome: 0,
      ...tokens,
    },
  };
}

/** The charge of an event that is about one. */
export function chargeOfEvent(event: JournalEvent | undefined): Charge {
  if (event === undefined || event.kind === 'erased') throw new Error('an event without a charge');
  return event.charge;
}
