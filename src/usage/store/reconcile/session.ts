/** The connection of a run: short statements, with pauses between them. */

import { setTimeout as delay } from 'node:timers/promises';

import type { ClientBase } from 'pg';
import type { EntityManager } from '@mikro-orm/postgresql';

import { forTenant, onClient } from '../../../database/driver.ts';
import { type Transaction, transactionOn } from '../../../database/transaction.ts';

/** No pause is longer, so that a run ends. */
const PAUSE_MAX_MS = 2_000;

/** One for each run, for one tenant. Owns nothing. */
export class ReconcileSession {
  readonly #em: EntityManager;
  readonly #client: ClientBase;
  readonly #tenant: string;
  readonly #signal: AbortSignal;

  /** `client`: a connection of the database of `em`, without an open transaction. */
  constructor(em: EntityManager, client: ClientBase, tenant: string, signal: AbortSignal) {
    this.#em = forTenant(em, tenant, { client });
    this.#client = client;
    this.#tenant = tenant;
    this.#signal = signal;
  }

  /** Its statements run on the connection of the run. */
  get em(): EntityManager {
    return this.#em;
  }

  /** Runs one statement, and then pauses as long as it took: the run takes half of one core at most. */
  async read<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
    const startedAt = performance.now();
    const rows = await this.#execute<Row>(sql, parameters);
    const pauseMs = Math.min(performance.now() - startedAt, PAUSE_MAX_MS);
    if (pauseMs >= 1) await delay(pauseMs, undefined, { signal: this.#signal }).catch(() => undefined);
    return rows;
  }

  /** Runs `work` in a transaction. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = this.#client;
    return transactionOn({ em: onClient(this.#em, client), client }, this.#tenant, work);
  }

  #execute<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
    return this.#em.execute<Row[]>(sql, { ...parameters }, { loggerContext: this.#em.getLoggerContext() });
  }
}
