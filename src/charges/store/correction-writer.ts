/**
 * The path of corrections: one transaction at a time, which first locks its tenant. Everything else would only wait for
 * that lock. Voids that arrive meanwhile are written together, so that each of them costs little. Tenants take turns.
 */

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, type WaitingRequest, writeWithRetries } from '../../database/retry.ts';
import { inTransaction, type Transaction } from '../../database/transaction.ts';
import { overloaded, ServiceError } from '../../errors/failure.ts';
import { InsertEvents, lockTenant } from '../../journal/index.ts';
import type { Prices } from '../../prices/index.ts';
import type { Actor, UnknownUserProfilesOf } from '../../tenants/index.ts';
import type { AmendRequest, ArchivedCharges, ClosedPeriod, VoidRequest } from '../charge.ts';
import type { ChargeEvent } from '../charge-event.ts';
import { newChargeId } from '../charge-id.ts';
import { CorrectionEntity } from '../correction-entities.ts';
import type { Administrator, ChargeCorrector, CorrectedCharge } from '../ports.ts';
import { archiveCharges, type ArchiveRequest } from './archive-charges.ts';
import { amendCharge, type AmendmentStatements, type NewAmendment } from './amend-charge.ts';
import { closePeriod } from './close-period.ts';
import type { Outcome } from './correction-rows.ts';
import { isRequestIdConflict } from './insert-charges.ts';
import { InsertReplacement } from './insert-replacement.ts';
import { TenantQueue, type TenantQueueOptions, type Waiting } from './tenant-queue.ts';
import { type NewVoid, voidCharges } from './void-charges.ts';

/** Bounds of the path. A group is the voids in one transaction, or one other request. */
export interface CorrectionWriterOptions extends RetryOptions, TenantQueueOptions {
  /** What happens with replacements of unknown and disabled user profiles. */
  readonly unknownUserProfilesOf: UnknownUserProfilesOf;
}

/** What the path tells the outside. */
export interface CorrectionWriterEvents {
  /** After COMMIT, before any caller is answered: the new events in the tenant's journal, in order. */
  readonly committed: (events: readonly ChargeEvent[]) => void;
}

/** What a request asks for. Its ids are drawn once, so that another attempt recognizes what an earlier one stored. */
type Work =
  | ({ readonly kind: 'void' } & NewVoid)
  | ({ readonly kind: 'amend' } & NewAmendment)
  | { readonly kind: 'close'; readonly endTimeMicros: bigint; readonly actor: Actor }
  | ({ readonly kind: 'archive' } & ArchiveRequest);

type Result = CorrectedCharge | ClosedPeriod | ArchivedCharges;

interface Submission extends WaitingRequest, Waiting {
  readonly work: Work;
  readonly resolve: (result: never) => void;
}

/** Implements {@link ChargeCorrector} on a database of which it uses one connection. */
export class CorrectionWriter implements ChargeCorrector {
  readonly #database: Database;
  readonly #prices: Prices;
  readonly #insert: AmendmentStatements;
  readonly #options: CorrectionWriterOptions;
  readonly #events: CorrectionWriterEvents;
  /** In requests. */
  readonly #queue: TenantQueue<Submission>;
  #busy = false;

  constructor(
    database: Database,
    prices: Prices,
    options: CorrectionWriterOptions,
    events: CorrectionWriterEvents,
  ) {
    this.#database = database;
    this.#prices = prices;
    this.#insert = {
      corrections: new InsertEvents(database.orm, CorrectionEntity),
      replacement: new InsertReplacement(database.orm),
    };
    this.#options = options;
    this.#events = events;
    this.#queue = new TenantQueue(options, areVoids);
  }

  voidCharge(tenant: string, request: VoidRequest, caller: Administrator): Promise<CorrectedCharge> {
    return this.#submit(tenant, { kind: 'void', id: newChargeId(), request, actor: caller }, caller);
  }

  amendCharge(tenant: string, request: AmendRequest, caller: Administrator): Promise<CorrectedCharge> {
    const ids = { id: newChargeId(), replacementId: newChargeId() };
    return this.#submit(tenant, { kind: 'amend', ...ids, request, actor: caller }, caller);
  }

  closePeriod(tenant: string, endTimeMicros: bigint, caller: Administrator): Promise<ClosedPeriod> {
    return this.#submit(tenant, { kind: 'close', endTimeMicros, actor: caller }, caller);
  }

  archiveCharges(
    tenant: string,
    endTimeMicros: bigint,
    ids: readonly string[],
    dryRun: boolean,
    caller: Administrator,
  ): Promise<ArchivedCharges> {
    return this.#submit(tenant, { kind: 'archive', endTimeMicros, ids, dryRun, actor: caller }, caller);
  }

  #submit<R extends Result>(tenant: string, work: Work, signal: Administrator): Promise<R> {
    const { queueSizeMax, retryAfterMs } = this.#options;
    if (!this.#queue.admits(tenant, 1)) {
      const limit = `${queueSizeMax.toLocaleString('en')} corrections that wait to be written`;
      return Promise.reject(new ServiceError(overloaded('write_queue', limit, retryAfterMs)));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ tenant, size: 1, work, arrivedAt: performance.now(), signal, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // What arrives in the same turn of the event loop joins the first group.
      setImmediate(() => void this.#work());
    });
  }

  async #work(): Promise<void> {
    for (let group = this.#queue.takeGroup(); group.length > 0; group = this.#queue.takeGroup()) {
      await writeWithRetries(group, this.#options, (waiting, mayBeStored) =>
        this.#attempt(waiting, mayBeStored),
      );
    }
    this.#busy = false;
  }

  /** Writes the group in one transaction, then answers it. */
  async #attempt(group: readonly Submission[], mayBeStored: () => void): Promise<void> {
    const { results, events } = await this.#transact(group, mayBeStored).catch((error: unknown) => {
      // A new charge has taken the request id of an amendment: now it can be seen.
      if (isRequestIdConflict(error)) return this.#transact(group, mayBeStored);
      throw error;
    });
    if (events.length > 0) this.#events.committed(events);
    for (const [index, { resolve, reject }] of group.entries()) {
      const result = results[index];
      if (result === undefined || result instanceof ServiceError) reject(result);
      else resolve(result as never);
    }
  }

  #transact(group: readonly Submission[], mayBeStored: () => void): Promise<Outcome<Result>> {
    const tenant = group[0]?.tenant ?? '';
    return inTransaction(
      this.#database,
      tenant,
      async (transaction) => {
        await lockTenant(transaction.client, tenant);
        return this.#run(
          transaction,
          tenant,
          group.map(({ work }) => work),
        );
      },
      mayBeStored,
    );
  }

  async #amend(
    transaction: Transaction,
    tenant: string,
    work: NewAmendment,
  ): Promise<Outcome<CorrectedCharge>> {
    const unknownUserProfiles = await this.#options.unknownUserProfilesOf(tenant);
    return amendCharge(transaction, this.#insert, this.#prices, unknownUserProfiles, tenant, work);
  }

  #run(transaction: Transaction, tenant: string, works: readonly Work[]): Promise<Outcome<Result>> {
    const [first] = works;
    switch (first?.kind) {
      case 'amend':
        return this.#amend(transaction, tenant, first);
      case 'close':
        return closePeriod(transaction, tenant, first.endTimeMicros, first.actor);
      case 'archive':
        return archiveCharges(transaction, tenant, first);
      default:
        return voidCharges(transaction, this.#insert.corrections, tenant, works.filter(isVoid));
    }
  }
}

/** Only voids share a transaction. */
function areVoids(...submissions: readonly Submission[]): boolean {
  return submissions.every(({ work }) => isVoid(work));
}

function isVoid(work: Work): work is Extract<Work, { kind: 'void' }> {
  return work.kind === 'void';
}
