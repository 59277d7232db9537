/** Erases people, and keeps the sums of their charges. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Database } from '../../database/orm.ts';
import { retriedTransaction, type RetryOptions } from '../../database/retry.ts';
import type { Transaction } from '../../database/transaction.ts';
import { ServiceError } from '../../errors/failure.ts';
import { InsertEvents, JOURNAL_KIND, lockTenant } from '../../journal/index.ts';
import {
  type Actor,
  appendAuditEntry,
  type ErasedUserProfile,
  type Eraser,
  outdateChecks,
  userProfileNotFound,
} from '../../tenants/index.ts';
import type { ErasedEvent } from '../charge-event.ts';
import { newChargeId, timeOfChargeId } from '../charge-id.ts';
import { ErasureEventEntity, type ErasureEventRow } from '../erasure-entities.ts';

/** Charges that one call erases at most: about a second of work, for which repeats of their requests wait. */
export const ERASED_CHARGES_MAX = 10_000;

/** The sums that are kept by user profile. They belong to the usage feature. */
export interface KeptSums {
  /** Keeps the sums from following the journal until the transaction ends. The next statement sees what they have followed. */
  lock(em: EntityManager, tenant: string): Promise<void>;
  /** Whether there is a sum of the user profile. */
  has(em: EntityManager, tenant: string, userProfile: string): Promise<boolean>;
  /** Moves what these charges add to the sums of one user profile to those of another one. */
  moveCharges(em: EntityManager, move: SumsMove, ids: readonly string[]): Promise<void>;
  /** Moves what is left. Expects that nothing but archived charges is. */
  moveRest(em: EntityManager, move: SumsMove): Promise<void>;
}

/** From which user profile to which. */
export interface SumsMove {
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
}

/** What an eraser works with. */
export interface ErasureOptions extends RetryOptions {
  readonly sums: KeptSums;
  /** Charges of one call. Default: {@link ERASED_CHARGES_MAX}. */
  readonly chargesMax?: number;
  /** After COMMIT: the new event in the tenant's journal. */
  readonly committed: (events: readonly ErasedEvent[]) => void;
}

/** What `erase_user_profile` returns. */
interface Step {
  readonly erased_as: string | null;
  readonly ids: string[];
  readonly all_charges: string;
  readonly changed: boolean;
  readonly done: boolean;
}

interface Outcome {
  readonly erased: ErasedUserProfile | undefined;
  readonly event: ErasedEvent | undefined;
}

const NOTHING_FOUND: Outcome = { erased: undefined, event: undefined };

/** Implements {@link Eraser} on a database that it does not own. Its connections may wait for the lock of a tenant. */
export class UserProfileEraser implements Eraser {
  readonly #database: Database;
  readonly #options: ErasureOptions;
  readonly #insert: InsertEvents<ErasureEventRow>;

  constructor(database: Database, options: ErasureOptions) {
    this.#database = database;
    this.#options = options;
    this.#insert = new InsertEvents(database.orm, ErasureEventEntity);
  }

  async erase(tenant: string, userProfile: string, actor: Actor): Promise<ErasedUserProfile> {
    const { erased, event } = await retriedTransaction(
      this.#database,
      tenant,
      this.#options,
      async (transaction) => {
        await lockTenant(transaction.client, tenant);
        return this.#step(transaction, tenant, userProfile, actor);
      },
    );
    if (event !== undefined) this.#options.committed([event]);
    if (erased === undefined) throw new ServiceError(userProfileNotFound(userProfile));
    return erased;
  }

  /**
   * The sums are locked first: so what they have followed is visible to the statements after it, and what these do not
   * find is not in the sums. Repeating it after a COMMIT that was not confirmed goes on with the next charges.
   */
  async #step(transaction: Transaction, tenant: string, userProfile: string, actor: Actor): Promise<Outcome> {
    const { em } = transaction;
    const { sums, chargesMax = ERASED_CHARGES_MAX } = this.#options;
    await sums.lock(em, tenant);
    const hasSums = await sums.has(em, tenant, userProfile);
    const [step] = await em.execute<Step[]>(
      'SELECT * FROM erase_user_profile(:userProfile, :chargesMax, :hasSums)',
      { userProfile, chargesMax, hasSums },
      { loggerContext: em.getLoggerContext() },
    );
    if (step === undefined || step.erased_as === null) return NOTHING_FOUND;
    const { erased_as: pseudonym, ids, done } = step;
    const move = { tenant, from: userProfile, to: pseudonym };
    const erased = { pseudonym, charges: ids.length, done };
    if (pseudonym === userProfile) return { erased, event: undefined };
    await sums.moveCharges(em, move, ids);
    if (done && hasSums) await sums.moveRest(em, move);
    if (!step.changed && !hasSums) return { erased, event: undefined };

    const details = new Map([['charges', String(ids.length)]]);
    await appendAuditEntry(transaction, actor, { tenant, action: ACTION, target: pseudonym, details });
    await outdateChecks(em, tenant);
    const event = done ? await this.#addEvent(transaction, move, BigInt(step.all_charges)) : undefined;
    return { erased, event };
  }

  /** The last statement: `journal_head` is locked. */
  async #addEvent(
    { client }: Transaction,
    { tenant, from: userProfile, to: pseudonym }: SumsMove,
    charges: bigint,
  ): Promise<ErasedEvent> {
    const id = newChargeId();
    const createTimeMicros = timeOfChargeId(id);
    const row: ErasureEventRow = {
      tenant,
      id,
      sequence: 0n,
      createTimeMicros,
      pseudonym,
      charges,
      userProfile,
    };
    await this.#insert.run(client, tenant, JOURNAL_KIND.erased, [row]);
    return erasedEvent(row);
  }
}

const ACTION = 'charge.v1.UserProfileService/EraseUserProfile';

/** The event of a row. */
export function erasedEvent({
  tenant,
  id,
  sequence,
  pseudonym,
  charges,
  userProfile,
}: ErasureEventRow): ErasedEvent {
  return { kind: 'erased', tenant, id, sequence, traceparent: undefined, pseudonym, charges, userProfile };
}
