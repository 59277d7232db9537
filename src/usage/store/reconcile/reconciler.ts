/** Runs of Reconcile: one at a time for each tenant, on a connection of their own. */

import type { Database } from '../../../database/orm.ts';
import { withClient } from '../../../database/driver.ts';
import type { ReadConnections } from '../../../database/read-connections.ts';
import { overloaded, ServiceError } from '../../../errors/failure.ts';
import type { Reconciler, StreamCheck } from '../../ports.ts';
import {
  CHECK,
  type CheckRun,
  type Compared,
  Findings,
  type NumberRange,
  type ReconcileEvents,
  type ReconcileOptions,
  type ReconcileSummary,
} from '../../reconcile.ts';
import { reconcileJournal } from './journal.ts';
import { READ_ENDS } from './journal-statements.ts';
import { ReconcileSession } from './session.ts';
import { reconcileSums } from './sums.ts';

/** Whatever the caller's order: what a repair of the journal adds belongs into the sums and the stream. */
const ORDER = [CHECK.journal, CHECK.sums, CHECK.stream];

/** Of the advisory locks in PostgreSQL. Nobody else may use the number. */
const LOCK_CLASS = 1_381_319_503;

/** What it is told about being busy. */
export interface ReconcilerOptions {
  /** How long a caller is told to wait while another run lasts. */
  readonly retryAfterMs: number;
  /** Compares the stream. */
  readonly stream: StreamCheck;
}

/** On one connection of `database`, which it does not own. `connections` are the same, for their failures. */
export function createReconciler(
  database: Database,
  connections: ReadConnections,
  { retryAfterMs, stream }: ReconcilerOptions,
): Reconciler {
  let isRunning = false;
  const busy = () => {
    const description = 'one Reconcile for each tenant, and in each process';
    return new ServiceError(overloaded('reconcile_runs', description, retryAfterMs));
  };
  return {
    async run(tenant, options, events, caller) {
      if (isRunning) throw busy();
      isRunning = true;
      try {
        return await connections.use(tenant, () =>
          withClient(database.pool, async (client) => {
            const lock = [LOCK_CLASS, tenant];
            const { rows } = await client.query<{ locked: boolean }>(
              'SELECT pg_try_advisory_lock($1, hashtext($2)) AS locked',
              lock,
            );
            if (!rows[0]?.locked) throw busy();
            const session = new ReconcileSession(database.em, client, tenant, caller);
            try {
              return await runChecks(session, tenant, options, { ...events, signal: caller.signal, stream });
            } finally {
              // Fails only if the connection is gone, and the lock with it.
              await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', lock).catch(() => undefined);
            }
          }),
        );
      } finally {
        isRunning = false;
      }
    },
  };
}

async function runChecks(
  session: ReconcileSession,
  tenant: string,
  options: ReconcileOptions,
  { stream, signal, ...events }: ReconcileEvents & { stream: StreamCheck; signal: AbortSignal },
): Promise<ReconcileSummary> {
  const findings = new Findings((finding) => events.finding(finding));
  const compared: Compared[] = [];
  const run: CheckRun = {
    tenant,
    repair: options.repair,
    signal,
    progress: (check, done, total) => events.progress(check, done, total),
    finding: (finding) => findings.add(finding),
    compared: (one) => void compared.push(one),
  };
  const wanted = ORDER.filter((check) => options.checks.length === 0 || options.checks.includes(check));
  for (const check of wanted) {
    if (signal.aborted) break;
    if (check === CHECK.journal) await reconcileJournal(session, run);
    else if (check === CHECK.sums) await reconcileSums(session, run, options);
    else await stream(session.em, { ...run, repairing: (sequences) => audit(session, sequences) });
  }
  const [row] = await session.read<{ journal: string | null }>(READ_ENDS, { tenant });
  return findings.summary(compared, BigInt(row?.journal ?? 0));
}

/** NATS has no part in a transaction, so the entry is there before the first event is published again. */
async function audit(session: ReconcileSession, { first, last }: NumberRange): Promise<void> {
  const changes = { first_sequence: String(first), last_sequence: String(last) };
  await session.repair('stream', () => Promise.resolve(changes));
}
