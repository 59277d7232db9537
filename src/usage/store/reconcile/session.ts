/** The connection of a run: short statements, with pauses between them. */

import { setTimeout as delay } from 'node:timers/promises';

import type { ClientBase } from 'pg';
import type { EntityManager } from '@mikro-orm/postgresql';

import { forTenant, onClient } from '../../../database/driver.ts';
import { type Transaction, transactionOn } from '../../../database/transaction.ts';
import { appendAuditEntry } from '../../../tenants/index.ts';
import type { ReconcileCaller } from '../../ports.ts';

/** No pause is longer, so that a run ends. */
const PAUSE_MAX_MS = 2_000;

/** What is repaired, by the names of `charge.v1.ReconcileCheck`. */
type RepairTarget = 'sums' | 'journal' | 'stream';
type Changes = Readonly<Record<string, string>> | undefined;

/** One for each run, for one tenant. Owns nothing. */
export class ReconcileSession {
  readonly #em: EntityManager;
  readonly #client: ClientBase;
  readonly #tenant: string;
  readonly #caller: ReconcileCaller;

  /** `client`: a connection of the database of `em`, without an open transaction. */
  constructor(em: EntityManager, client: ClientBase, tenant: string, caller: ReconcileCaller) {
    this.#em = forTenant(em, tenant, { client });
    this.#client = client;
    this.#tenant = tenant;
    this.#caller = caller;
  }

  /** Its statements run on the connection of the run. */
  get em(): EntityManager {
    return this.#em;
  }

  /** Runs one statement, and then pauses as long as it took: the run takes half of one core at most. */
  async read<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
    const { signal } = this.#caller;
    const startedAt = performance.now();
    const rows = await this.#execute<Row>(sql, parameters);
    const pauseMs = Math.min(performance.now() - startedAt, PAUSE_MAX_MS);
    if (pauseMs >= 1) await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    return rows;
  }

  /**
   * Repairs something in a transaction, with an entry in the audit log. `work` resolves to what it changed, by name;
   * undefined: nothing. Resolves to whether it changed something.
   */
  repair(target: RepairTarget, work: (transaction: Transaction) => Promise<Changes>): Promise<boolean> {
    const tenant = this.#tenant;
    const client = this.#client;
    return transactionOn({ em: onClient(this.#em, client), client }, tenant, async (transaction) => {
      const changes = await work(transaction);
      if (changes === undefined) return false;
      await appendAuditEntry(transaction, this.#caller, {
        tenant,
        action: 'charge.v1.UsageService/Reconcile',
        target,
        details: new Map(Object.entries(changes)),
      });
      return true;
    });
  }

  #execute<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
    return this.#em.execute<Row[]>(sql, { ...parameters }, { loggerContext: this.#em.getLoggerContext() });
  }
}
