/** Changes user profiles, each together with its entry in the audit log. */

import { v7 as uuidv7 } from 'uuid';

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, retriedTransaction } from '../../database/retry.ts';
import type { Transaction } from '../../database/transaction.ts';
import { jsonOfMap } from '../../database/types/json-map.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import { type Failure, ServiceError } from '../../errors/failure.ts';
import { lockTenant } from '../../journal/index.ts';
import type { Actor } from '../audit.ts';
import { userProfileAlreadyExists, userProfileNotFound } from '../errors.ts';
import type { UserProfileWriter as Port } from '../ports.ts';
import { changedMembers, type UserProfile, type UserProfileContent } from '../user-profile.ts';
import { appendAuditEntry, hasAuditEntry } from './audit-log.ts';
import { outdateChecks } from './charged-user-profiles.ts';
import { findUserProfile, userProfilesOf } from './user-profile-reader.ts';

const SERVICE = 'charge.v1.UserProfileService';

/** A failure is returned: an error would close the connection. */
type Outcome = UserProfile | Failure;

/** Implements the port on a database that it does not own. Its connections may wait for the lock of a tenant. */
export class UserProfileWriter implements Port {
  readonly #database: Database;
  readonly #options: RetryOptions;

  constructor(database: Database, options: RetryOptions) {
    this.#database = database;
    this.#options = options;
  }

  create(actor: Actor, id: string, content: UserProfileContent): Promise<UserProfile> {
    // Drawn once: if an earlier attempt was committed and not confirmed, its entry is there.
    const entryId = uuidv7();
    return this.#transact(actor, async (transaction, tenant) => {
      const [created] = await insert(transaction, tenant, id, content);
      if (created !== undefined) {
        const act = { tenant, action: `${SERVICE}/CreateUserProfile`, target: id };
        await appendAuditEntry(transaction, actor, act, entryId);
        return created;
      }
      const isOurs = await hasAuditEntry(transaction.em, tenant, entryId);
      const existing = isOurs ? await findUserProfile(transaction.em, tenant, id) : undefined;
      return existing ?? userProfileAlreadyExists(id);
    });
  }

  update(actor: Actor, id: string, changes: Partial<UserProfileContent>): Promise<UserProfile> {
    return this.#change(actor, 'UpdateUserProfile', id, (before) => {
      const members = changedMembers(before, changes);
      return members.length > 0 && { changes, details: new Map([['changed', members.join(', ')]]) };
    });
  }

  /** Charges that are being written are committed before it, or look at the user profile again. */
  disable(actor: Actor, id: string): Promise<UserProfile> {
    const decide = ({ disableTimeMicros }: UserProfile, nowMicros: bigint) =>
      disableTimeMicros === undefined && { changes: { disableTimeMicros: nowMicros } };
    return this.#change(actor, 'DisableUserProfile', id, decide, { outdatesChecks: true });
  }

  enable(actor: Actor, id: string): Promise<UserProfile> {
    return this.#change(actor, 'EnableUserProfile', id, ({ disableTimeMicros }) => {
      return disableTimeMicros !== undefined && { changes: { disableTimeMicros: undefined } };
    });
  }

  /** `decide` says what to change; false: nothing. */
  #change(
    actor: Actor,
    method: string,
    id: string,
    decide: (before: UserProfile, nowMicros: bigint) => Change | false,
    { outdatesChecks = false } = {},
  ): Promise<UserProfile> {
    return this.#transact(actor, async (transaction, tenant) => {
      if (outdatesChecks) await lockTenant(transaction.client, tenant);
      const before = await findUserProfile(transaction.em, tenant, id, { lock: true });
      if (before === undefined) return userProfileNotFound(id);
      const nowMicros = BigInt(Date.now()) * 1000n;
      const change = decide(before, nowMicros);
      if (change === false) return before;
      const after = { ...before, ...change.changes, updateTimeMicros: nowMicros };
      await save(transaction, tenant, after);
      // The names of what is changed only: values are about a person, and the audit log is never changed.
      const act = { tenant, action: `${SERVICE}/${method}`, target: id };
      await appendAuditEntry(transaction, actor, {
        ...act,
        ...(change.details && { details: change.details }),
      });
      if (outdatesChecks) await outdateChecks(transaction.em, tenant);
      return after;
    });
  }

  async #transact(
    { principal: { tenant } }: Actor,
    work: (transaction: Transaction, tenant: string) => Promise<Outcome>,
  ): Promise<UserProfile> {
    const outcome = await retriedTransaction(this.#database, tenant, this.#options, (transaction) =>
      work(transaction, tenant),
    );
    if ('reason' in outcome) throw new ServiceError(outcome);
    return outcome;
  }
}

/** What a call changes. */
interface Change {
  readonly changes: Partial<Omit<UserProfile, 'id'>>;
  /** For the audit log. */
  readonly details?: ReadonlyMap<string, string>;
}

/** Resolves to the new user profile, or to nothing if there is one. */
async function insert(
  { em }: Transaction,
  tenant: string,
  id: string,
  content: UserProfileContent,
): Promise<UserProfile[]> {
  const rows = await em.execute<object[]>(
    `INSERT INTO user_profile (tenant, id, display_name, email, labels, external_ids, create_time, update_time)
     VALUES (:tenant, :id, :displayName, :email, :labels, :externalIds, now(), now())
     ON CONFLICT DO NOTHING RETURNING *`,
    { tenant, id, ...columnsOf(content) },
    { loggerContext: em.getLoggerContext() },
  );
  return userProfilesOf(em, rows);
}

async function save({ em }: Transaction, tenant: string, userProfile: UserProfile): Promise<void> {
  const { id, updateTimeMicros, disableTimeMicros } = userProfile;
  await em.execute(
    `UPDATE user_profile SET display_name = :displayName, email = :email, labels = :labels,
       external_ids = :externalIds, update_time = :updateTime, disable_time = :disableTime
     WHERE tenant = :tenant AND id = :id`,
    {
      tenant,
      id,
      ...columnsOf(userProfile),
      updateTime: timestamptzFromMicros(updateTimeMicros),
      disableTime: disableTimeMicros === undefined ? null : timestamptzFromMicros(disableTimeMicros),
    },
    { loggerContext: em.getLoggerContext() },
  );
}

function columnsOf({ displayName, email, labels, externalIds }: UserProfileContent) {
  return {
    displayName: displayName || null,
    email: email || null,
    labels: labels.size === 0 ? null : jsonOfMap(labels),
    externalIds: externalIds.size === 0 ? null : jsonOfMap(externalIds),
  };
}
