/**
 * The one statement that writes charges. It does not go through MikroORM's unit of work, which takes three
 * times as long per row, nor through its connection: the statement is prepared, and its parameters are
 * binary arrays. The pool, the columns and their types are MikroORM's.
 */

import type { MikroORM } from '@mikro-orm/postgresql';
import { type ClientBase, type DatabaseError, escapeLiteral, type QueryResult } from 'pg';

import { ColumnArrays } from '../../database/column-arrays.ts';
import { sqlState } from '../../database/sql-errors.ts';
import { queryForTenant } from '../../database/query-for-tenant.ts';
import { setTenant } from '../../database/tenant.ts';
import { appendToJournal } from '../../journal/index.ts';
import {
  CREATE_MISSING_PROFILES,
  isEnabled,
  profilesOf,
  UNKNOWN_USER_PROFILES,
  type UserProfileFault,
} from '../../tenants/index.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';

/**
 * How a group is written. Speculative insertion (`ON CONFLICT`) costs PostgreSQL 14 to 20 % more per row
 * (docs/performance.md, "What a charge costs PostgreSQL"), and repeated request ids are rare. So a group is first written without it
 * (`expectNew`), and once more with it (`skipExisting`) if a key exists already.
 */
export type InsertMode = 'expectNew' | 'skipExisting';

/** How a group is written. */
export interface InsertOptions {
  readonly mode: InsertMode;
  /** The tenant's last price version that the charges were priced with. */
  readonly priceVersion: number;
  /** One of `UNKNOWN_USER_PROFILES`; 0: accept. */
  readonly unknownUserProfiles?: number;
}

/** What a write did. */
export interface InsertOutcome {
  /** Ids of the charges that were inserted; undefined: all of them. */
  readonly insertedIds: ReadonlySet<string> | undefined;
  /** Undefined: no charge was refused because of its user profile. */
  readonly userProfiles: UserProfiles | undefined;
  /** The number of the last entry in the tenant's journal; 0 if nothing was inserted. */
  readonly lastSequence: bigint;
}

/** The user profiles of the charges that the tenant has. */
interface UserProfiles {
  readonly enabled: ReadonlySet<string>;
  readonly disabled: ReadonlySet<string>;
}

interface InsertRow {
  readonly last: string | null;
  readonly ids: string[] | null;
  /** If it refuses and not every charge was inserted. */
  readonly enabled?: string[] | null;
  readonly disabled?: string[] | null;
}

interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/** Made once per database. */
export class InsertCharges {
  readonly #columns: ColumnArrays<ChargeRow>;
  /** By {@link UNKNOWN_USER_PROFILES}. */
  readonly #statements: Readonly<Record<number, Readonly<Record<InsertMode, PreparedStatement>>>>;

  constructor(orm: MikroORM) {
    this.#columns = chargeColumns(orm);
    const { accept, create, refuse } = UNKNOWN_USER_PROFILES;
    this.#statements = {
      [accept]: this.#bothModes('insert_charges', {}),
      [create]: this.#bothModes('insert_charges_create', { after: CREATE_MISSING_PROFILES }),
      [refuse]: this.#bothModes('insert_charges_refuse', {
        before: profilesOf('$4::text[]'),
        condition: isEnabled('user_profile'),
        firstColumn: 5,
        output: REFUSED_PROFILES,
      }),
    };
  }

  /**
   * Writes the charges whose request ids are new, with their entry in the journal, in the transaction that is open.
   * `skipExisting` leaves the others alone; `expectNew` fails on them ({@link isRequestIdConflict}) and
   * writes nothing. `skipExisting` fails in the same way if one of the charges is archived while it runs. Expects the charges of one tenant, sorted by request key, each key once: two writers
   * that lock keys in different orders would deadlock. If the tenant has another last price version, it fails
   * (`isHeadMismatch`) and writes nothing.
   */
  async run(
    client: ClientBase,
    tenant: string,
    charges: readonly ChargeRow[],
    options: InsertOptions,
  ): Promise<InsertOutcome> {
    return outcomeOf(await client.query<InsertRow>(this.#query(tenant, charges, options)));
  }

  /**
   * The same in a transaction of its own. No answer within `timeoutMs` (by default the limit of the connection) fails,
   * and the connection has to be closed.
   */
  async commit(
    client: ClientBase,
    tenant: string,
    charges: readonly ChargeRow[],
    options: InsertOptions,
    timeoutMs?: number,
  ): Promise<InsertOutcome> {
    const limits = timeoutMs === undefined ? {} : { answerTimeoutMs: timeoutMs };
    const query = this.#query(tenant, charges, options);
    return outcomeOf(await queryForTenant<InsertRow>(client, tenant, query, limits));
  }

  #query(
    tenant: string,
    charges: readonly ChargeRow[],
    { mode, priceVersion, unknownUserProfiles = 0 }: InsertOptions,
  ) {
    const { accept, refuse } = UNKNOWN_USER_PROFILES;
    const statements = this.#statements[unknownUserProfiles || accept];
    if (statements === undefined) throw new TypeError(`no setting ${unknownUserProfiles}`);
    const profiles = unknownUserProfiles === refuse ? [distinctUserProfiles(charges)] : [];
    return {
      ...statements[mode],
      values: [tenant, charges.length, priceVersion, ...profiles, ...this.#columns.parameters(charges)],
    };
  }

  #bothModes(name: string, parts: StatementParts): Record<InsertMode, PreparedStatement> {
    const { condition, firstColumn = 4 } = parts;
    const { names } = this.#columns;
    const columns = `SELECT $1::text, ${this.#columns.selectList(firstColumn)}`;
    const wanted = `SELECT * FROM (${columns}) AS wanted (tenant, ${names})`;
    const skipping = [IS_NOT_ARCHIVED, ...(condition === undefined ? [] : [condition])].join(' AND ');
    return {
      expectNew: {
        name,
        text: this.#text(condition === undefined ? columns : `${wanted} WHERE ${condition}`, parts),
      },
      skipExisting: {
        name: `${name}_skip_existing`,
        text: this.#text(`${wanted} WHERE ${skipping} ON CONFLICT (tenant, request_key) DO NOTHING`, parts),
      },
    };
  }

  /**
   * The statement that writes one made-up charge of the tenant and rolls it back, and then commits a transaction
   * that is empty. It is one message, so that a process that stops in the middle never keeps the tenant's row of
   * `journal_head` locked.
   */
  rehearsal(tenant: string): string {
    const name = `${escapeLiteral(tenant)}::text`;
    const priceVersion = `(SELECT price_version FROM journal_head WHERE tenant = ${name})`;
    const values = `${name}, 1, ${priceVersion}, ${this.#columns.sampleArrays()}`;
    const text = this.#statements[UNKNOWN_USER_PROFILES.accept]?.expectNew.text;
    return `
${setTenant(tenant)};
DO $do$ BEGIN
  EXECUTE $write$ ${text} $write$ USING ${values};
  RAISE SQLSTATE '${ROLLED_BACK}';
EXCEPTION WHEN SQLSTATE '${ROLLED_BACK}' THEN NULL;
END $do$`;
  }

  /**
   * - The tenant is a plain equality in every part, so that a distributed PostgreSQL runs all of it on
   *   one node.
   * - A database, a role or a pooler may have turned `synchronous_commit` off. It is turned on again for
   *   this transaction only; every other setting waits for the disk and is left alone.
   * - An archived charge is in no unique index of the table. So the statement asks about what it has inserted
   *   ({@link isRequestIdConflict}), if the tenant has archived anything. The row of the head is locked and read
   *   after the insert, so it is up to date even if the insert had to wait for a charge that was being removed.
   */
  #text(rows: string, { before, after, output = '' }: StatementParts): string {
    const inserted = `
inserted AS (
  INSERT INTO charge (tenant, ${this.#columns.names})
  ${rows}
  RETURNING id, request_key, user_profile
)`;
    const parts = [before, inserted, appendToJournal('$3::int'), after].filter((part) => part !== undefined);
    return `
WITH ${parts.join(', ')}
SELECT ${output}
  CASE WHEN (SELECT has_archive FROM head)
    THEN (SELECT refuse_archived_request_ids($1::text, array_agg(request_key)) FROM inserted) END AS checked,
  (SELECT last_sequence FROM head) AS last,
  CASE WHEN n < $2::int THEN coalesce(ids, '{}')::text[] END AS ids,
  CASE current_setting('synchronous_commit') WHEN 'off'
    THEN set_config('synchronous_commit', 'on', true) END AS durable
FROM total`;
  }
}

/** What the setting of a tenant adds to the statement. */
interface StatementParts {
  /** Common table expressions before and after the insert. */
  readonly before?: string;
  readonly after?: string;
  /** Which charges are inserted. */
  readonly condition?: string;
  /** The number of the first parameter with a column. */
  readonly firstColumn?: number;
  /** More of the answer, with a comma at its end. */
  readonly output?: string;
}

const REFUSED_PROFILES = `
  CASE WHEN n < $2::int THEN ARRAY(SELECT id FROM profile WHERE is_enabled) END AS enabled,
  CASE WHEN n < $2::int THEN ARRAY(SELECT id FROM profile WHERE NOT is_enabled) END AS disabled,`;

function distinctUserProfiles(charges: readonly ChargeRow[]): string[] {
  return [...new Set(charges.map(({ userProfile }) => userProfile))];
}

function outcomeOf({ rows: [row] }: QueryResult<InsertRow>): InsertOutcome {
  if (row === undefined) throw new Error('insert_charges returned no row');
  return {
    insertedIds: row.ids === null ? undefined : new Set(row.ids),
    userProfiles:
      row.enabled && row.disabled
        ? { enabled: new Set(row.enabled), disabled: new Set(row.disabled) }
        : undefined,
    lastSequence: BigInt(row.last ?? 0),
  };
}

/** Every column but the tenant, which is one value per statement. */
export function chargeColumns(orm: MikroORM): ColumnArrays<ChargeRow> {
  return new ColumnArrays<ChargeRow>(orm.getMetadata().get(ChargeEntity), ['tenant']);
}

/** Whether a write met a request id that exists: nothing was written. After `expectNew`, `skipExisting` will do. */
export function isRequestIdConflict(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION && KEYS.has((error as DatabaseError).constraint ?? '');
}

/** Nobody else raises it. */
const ROLLED_BACK = 'CHG00';
const UNIQUE_VIOLATION = '23505';
/**
 * The primary key as well: after a lost reply, the same charges with the same ids come again. The third one is what
 * `refuse_archived_request_ids` names.
 */
const KEYS: ReadonlySet<string> = new Set(['charge_request_key', 'charge_pkey', 'archived_charge_pkey']);

/** OFFSET 0 makes it a look-up for each row: as a join, it could read all archived charges of the tenant. */
const IS_NOT_ARCHIVED = `NOT EXISTS (SELECT FROM archived_charge
    WHERE archived_charge.tenant = wanted.tenant AND archived_charge.request_key = wanted.request_key OFFSET 0)`;

/** Whether this charge is among those that the write inserted. */
export function wasInserted(outcome: InsertOutcome, charge: ChargeRow): boolean {
  return outcome.insertedIds === undefined || outcome.insertedIds.has(charge.id);
}

/** Why the write has refused this charge, which it did not insert; undefined: not because of its user profile. */
export function userProfileFault(
  { userProfiles }: InsertOutcome,
  { userProfile }: ChargeRow,
): UserProfileFault | undefined {
  if (userProfiles === undefined || userProfiles.enabled.has(userProfile)) return undefined;
  return userProfiles.disabled.has(userProfile) ? 'disabled' : 'unknown';
}
