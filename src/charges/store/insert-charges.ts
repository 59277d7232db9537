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
import { AFTER_MISSING_PROFILES, CREATE_MISSING_PROFILES } from '../../tenants/index.ts';
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
  /** The version for which the user profiles of the charges were checked; undefined: they were not. */
  readonly userProfileVersion?: number | undefined;
  /** Whether the user profiles of new charges are created if they are missing. */
  readonly createUserProfiles?: boolean;
}

/** What a write did. */
export interface InsertOutcome {
  /** Ids of the charges that were inserted; undefined: all of them. */
  readonly insertedIds: ReadonlySet<string> | undefined;
  /** The number of the last entry in the tenant's journal; 0 if nothing was inserted. */
  readonly lastSequence: bigint;
}

interface InsertRow {
  readonly last: string | null;
  readonly ids: string[] | null;
}

interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/** Made once per database. */
export class InsertCharges {
  readonly #columns: ColumnArrays<ChargeRow>;
  readonly #statements: Readonly<Record<InsertMode, PreparedStatement>>;
  readonly #creatingStatements: Readonly<Record<InsertMode, PreparedStatement>>;

  constructor(orm: MikroORM) {
    this.#columns = chargeColumns(orm);
    this.#statements = this.#bothModes('insert_charges', false);
    this.#creatingStatements = this.#bothModes('insert_charges_create', true);
  }

  /**
   * Writes the charges whose request ids are new, with their entry in the journal, in the transaction that is open.
   * `skipExisting` leaves the others alone; `expectNew` fails on them ({@link isRequestIdConflict}) and
   * writes nothing. `skipExisting` fails in the same way if one of the charges is archived while it runs. Expects the charges of one tenant, sorted by request key, each key once: two writers
   * that lock keys in different orders would deadlock. If the tenant has another last price version, or user profiles
   * were disabled or removed since `userProfileVersion`, it fails (`isHeadMismatch`) and writes nothing.
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
    { mode, priceVersion, userProfileVersion, createUserProfiles = false }: InsertOptions,
  ) {
    const statements = createUserProfiles ? this.#creatingStatements : this.#statements;
    const columns = this.#columns.parameters(charges);
    return {
      ...statements[mode],
      values: [tenant, charges.length, priceVersion, userProfileVersion ?? null, ...columns],
    };
  }

  #bothModes(name: string, createUserProfiles: boolean): Record<InsertMode, PreparedStatement> {
    const columns = `SELECT $1::text, ${this.#columns.selectList(5)}`;
    const skipExisting = `SELECT * FROM (${columns}) AS wanted (tenant, ${this.#columns.names})
  WHERE ${IS_NOT_ARCHIVED} ON CONFLICT (tenant, request_key) DO NOTHING`;
    return {
      expectNew: { name, text: this.#text(columns, createUserProfiles) },
      skipExisting: { name: `${name}_skip_existing`, text: this.#text(skipExisting, createUserProfiles) },
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
    const values = `${name}, 1, ${priceVersion}, NULL::int, ${this.#columns.sampleArrays()}`;
    const { text } = this.#statements.expectNew;
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
  #text(rows: string, createUserProfiles: boolean): string {
    const inserted = `
inserted AS (
  INSERT INTO charge (tenant, ${this.#columns.names})
  ${rows}
  RETURNING id, request_key, user_profile
)`;
    const parts = createUserProfiles
      ? [inserted, CREATE_MISSING_PROFILES, appendToJournal(`${EXPECTED} AND ${AFTER_MISSING_PROFILES}`)]
      : [inserted, appendToJournal(EXPECTED)];
    return `
WITH ${parts.join(', ')}
SELECT
  CASE WHEN (SELECT has_archive FROM head)
    THEN (SELECT refuse_archived_request_ids($1::text, array_agg(request_key)) FROM inserted) END AS checked,
  (SELECT last_sequence FROM head) AS last,
  CASE WHEN n < $2::int THEN coalesce(ids, '{}')::text[] END AS ids,
  CASE current_setting('synchronous_commit') WHEN 'off'
    THEN set_config('synchronous_commit', 'on', true) END AS durable
FROM total`;
  }
}

/** A group whose user profiles were not checked expects no version of them. */
const EXPECTED = 'price_version = $3::int AND user_profile_version = coalesce($4::int, user_profile_version)';

function outcomeOf({ rows: [row] }: QueryResult<InsertRow>): InsertOutcome {
  if (row === undefined) throw new Error('insert_charges returned no row');
  return {
    insertedIds: row.ids === null ? undefined : new Set(row.ids),
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
