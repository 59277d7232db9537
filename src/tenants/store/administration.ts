/** What administrators change: each act in one transaction with its entry in the audit log. */

import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';

import type { Database } from '../../database/orm.ts';
import { retriedTransaction, type RetryOptions } from '../../database/retry.ts';
import { type Failure, ServiceError } from '../../errors/failure.ts';
import type { Act, Actor } from '../audit.ts';
import { appendAuditEntry, hasAuditEntry } from './audit-log.ts';

/** An act in its transaction. */
export interface Acting {
  readonly em: EntityManager;
  /** Adds the entry of the act, which has one at most. */
  readonly audit: (act: Omit<Act, 'tenant' | 'action'>) => Promise<void>;
}

/** Runs acts on a database that it does not own. */
export class Administration {
  readonly #database: Database;
  readonly #options: RetryOptions;

  constructor(database: Database, options: RetryOptions) {
    this.#database = database;
    this.#options = options;
  }

  /**
   * Runs `work` for the method of TenantService, and resolves after COMMIT. `work` resolves to a failure before it has
   * changed anything. Rejects with a {@link ServiceError}: that failure, or `database_unavailable`.
   */
  async run<T extends object>(
    method: string,
    tenant: string,
    actor: Actor,
    work: (acting: Acting) => Promise<T | Failure>,
  ): Promise<T> {
    const action = `charge.v1.TenantService/${method}`;
    const auditId = uuidv7();
    let last: T | Failure | undefined;
    const outcome = await retriedTransaction(this.#database, tenant, this.#options, async (transaction) => {
      const { em } = transaction;
      // An earlier attempt may have been committed although nobody confirmed it.
      if (last !== undefined && (await hasAuditEntry(em, tenant, auditId))) return last;
      const audit: Acting['audit'] = (act) =>
        appendAuditEntry(transaction, actor, { ...act, tenant, action }, auditId);
      return (last = await work({ em, audit }));
    });
    if (isFailure(outcome)) throw new ServiceError(outcome);
    return outcome;
  }
}

function isFailure(outcome: object): outcome is Failure {
  return 'reason' in outcome;
}

/** The time of an act. */
export function nowMicros(): bigint {
  return BigInt(Date.now()) * 1000n;
}
