/** Finds out whether a charge could be recorded, without recording one. */

import { NIL } from 'uuid';

import { forTenant, withClient } from '../../database/driver.ts';
import type { Database } from '../../database/orm.ts';
import { findByKeys } from './find-by-keys.ts';
import { InsertCharges } from './insert-charges.ts';

const NOTHING = { mode: 'expectNew', priceVersion: 0 } as const;

/**
 * Two probes over the connections of the writers, in the journal of one tenant. Both reject with what PostgreSQL or
 * the driver said if a charge could not be recorded.
 */
export class WriteProbe {
  readonly #database: Database;
  readonly #insert: InsertCharges;
  readonly #tenant: string;
  readonly #answerMs: number;

  /** A statement that is not answered within `answerMs` is given up, so that it keeps no writer's connection. */
  constructor(database: Database, tenant: string, answerMs: number) {
    this.#answerMs = answerMs;
    this.#database = database;
    this.#insert = new InsertCharges(database.orm);
    this.#tenant = tenant;
  }

  /**
   * Writes no charge with the statement that writes charges, and looks up one that does not exist. That sees lost
   * connections, a database that only reads, missing tables, columns and privileges, and costs neither WAL nor a dead
   * row.
   */
  async check(): Promise<void> {
    await withClient(this.#database.pool, (client) =>
      this.#insert.commit(client, this.#tenant, [], NOTHING, this.#answerMs),
    );
    await findByKeys(forTenant(this.#database.em, this.#tenant), this.#tenant, 'requestKey', [NIL]);
  }

  /**
   * Also writes a charge, its journal entry and its number, takes them back, and commits. That sees a full disk, a
   * missing journal, and a commit that nobody confirms. It leaves a dead row of about half a kilobyte with its index
   * entries, so it is not for every second. A disk that is full stays unnoticed until the pages in use are full, too.
   */
  async rehearse(): Promise<void> {
    await this.check();
    const rehearsal = { text: this.#insert.rehearsal(this.#tenant), query_timeout: this.#answerMs };
    await withClient(this.#database.pool, (client) => client.query(rehearsal));
  }
}
