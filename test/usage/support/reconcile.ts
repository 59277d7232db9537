/** A book whose tables a test damages, and runs of Reconcile on it. */

import { randomUUID } from 'node:crypto';

import { ReadConnections } from '../../../src/database/read-connections.ts';
import { inTransaction } from '../../../src/database/transaction.ts';
import {
  createReconciler,
  type Finding,
  FINDING,
  type StreamCheck,
  UsageFollower,
} from '../../../src/usage/index.ts';
import type { ReconcileOptions, ReconcileSummary } from '../../../src/usage/reconcile.ts';
import { followJournal } from '../../../src/usage/store/follow-journal.ts';
import { query } from '../../support/database.ts';
import {
  ADMINISTRATOR,
  chargeRequest,
  openTestDatabase,
  openTestStore,
  type TestStore,
} from '../../support/store.ts';

export const TENANT = 'default';
/** 2026-09-01T00:00:00Z */
export const SEPTEMBER = BigInt(Date.parse('2026-09-01T00:00:00Z')) * 1000n;
export const DAY = 86_400_000_000n;

/** What a run found. */
export interface RunResult {
  /** Those that were named: name of the kind, and the rest. */
  readonly findings: readonly (Omit<Finding, 'kind'> & { readonly kind: string })[];
  readonly summary: ReconcileSummary;
}

/** Of a suite. */
export interface ReconcileBook extends TestStore {
  /** Records charges on these days of September, counted from 0; returns their ids. */
  record(days: readonly number[], userProfile?: string): Promise<string[]>;
  /** Voids a charge. */
  voidCharge(id: string): Promise<void>;
  /** Replaces a charge by one with another number of tokens. */
  amendCharge(id: string): Promise<void>;
  /** Brings the sums to the end of the journal, or by at most so many events. */
  follow(eventsMax?: number): Promise<void>;
  /** Follows as the service does, until it is stopped. */
  startFollower(): UsageFollower;
  /** Changes tables as nobody may: without triggers. */
  damage(...statements: string[]): Promise<void>;
  reconcile(options?: Partial<ReconcileOptions>): Promise<RunResult>;
  /** What the audit log says of repairs: the target and the details of each entry, the oldest first. */
  repairs(): Promise<(readonly [target: string, details: object])[]>;
}

const correctionOf = (id: string) => ({
  key: { id },
  requestId: randomUUID(),
  reason: 'a test',
  allowClosedPeriod: false,
});

const KIND_NAMES = new Map(Object.entries(FINDING).map(([name, kind]) => [kind as number, name]));

const noStream: StreamCheck = () => Promise.resolve();

export async function openReconcileBook(stream: StreamCheck = noStream): Promise<ReconcileBook> {
  const store = await openTestStore();
  const comparisons = await openTestDatabase(store.url, { poolSizeMax: 1 });
  const reconciler = createReconciler(comparisons, new ReadConnections(comparisons, 100), {
    retryAfterMs: 100,
    stream,
  });
  const follow = async (eventsMax = 1_000_000): Promise<void> => {
    await inTransaction(
      store.database,
      TENANT,
      (transaction) => followJournal(transaction, TENANT, eventsMax),
      () => undefined,
    );
  };
  return {
    ...store,
    record: async (days, userProfile = 'alice') => {
      const requests = days.map((day, index) =>
        chargeRequest(randomUUID(), {
          userProfile,
          model: index % 2 === 0 ? 'gpt-4o' : 'gpt-4o-mini',
          usageTimeMicros: SEPTEMBER + BigInt(day) * DAY + BigInt(index % 86_400) * 1_000_000n,
          reportedCost: { currencyCode: 'USD', nanos: 1_000n },
        }),
      );
      const results = await store.writer.record(TENANT, requests);
      return results.map((result) => ('charge' in result ? result.charge.id : ''));
    },
    voidCharge: async (id) => {
      await store.corrector.voidCharge(TENANT, { kind: 'void', ...correctionOf(id) }, ADMINISTRATOR);
    },
    amendCharge: async (id) => {
      const { content } = chargeRequest('', { promptTokens: 900n });
      await store.corrector.amendCharge(
        TENANT,
        { kind: 'amend', ...correctionOf(id), content },
        ADMINISTRATOR,
      );
    },
    follow,
    startFollower: () => {
      const follower = new UsageFollower(
        store.everyTenant,
        { periodMs: 20, stepEventsMax: 100, lagMaxMs: 50 },
        {
          followed: () => undefined,
          lag: () => undefined,
          succeeded: () => undefined,
          failed: () => undefined,
        },
      );
      follower.start();
      return follower;
    },
    damage: async (...statements) => {
      const tables = ['charge', 'journal', 'correction', 'cost_revision'];
      const switchTriggers = (how: string) =>
        tables.map((table) => `ALTER TABLE ${table} ${how} TRIGGER USER`);
      await query(store.url, ...switchTriggers('DISABLE'), ...statements, ...switchTriggers('ENABLE'));
    },
    reconcile: async (options = {}) => {
      const findings: RunResult['findings'][number][] = [];
      const summary = await reconciler.run(
        TENANT,
        { checks: [], startMicros: undefined, endMicros: undefined, repair: false, ...options },
        {
          progress: () => undefined,
          finding: ({ kind, ...finding }) => {
            findings.push({ ...finding, kind: KIND_NAMES.get(kind) ?? String(kind) });
          },
        },
        { ...ADMINISTRATOR, signal: new AbortController().signal },
      );
      return { findings, summary };
    },
    repairs: async () => {
      const entries = await query(
        store.url,
        `SELECT target, details FROM audit_entry WHERE action = 'charge.v1.UsageService/Reconcile' ORDER BY id`,
      );
      return entries.map(({ target, details }) => [String(target), details as object]);
    },
    close: async () => {
      await comparisons.close();
      await store.close();
    },
  };
}
