/** The role that the service's sessions work as: what it may do, and how it comes about. */

import type { ClientBase, Pool } from 'pg';

/** NOLOGIN. A cluster has one, for every database of this service. */
export const SERVICE_ROLE = 'charge_service';

type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | `UPDATE (${string})`;

const APPEND: readonly Privilege[] = ['SELECT', 'INSERT'];
const CHANGE: readonly Privilege[] = ['SELECT', 'INSERT', 'UPDATE'];

/**
 * What the role may do with each table, and with no other. Charges are removed by the function `archive_charges` alone,
 * and changed by `erase_user_profile` alone.
 * A repair of the sums of usage removes a day before it makes it again.
 */
export const TABLE_PRIVILEGES: Readonly<Record<string, readonly Privilege[]>> = {
  charge: APPEND,
  journal: APPEND,
  journal_head: [
    ...APPEND,
    'UPDATE (last_sequence, price_version, user_profile_version, has_archive, repaired_sequence)',
  ],
  // FOR UPDATE asks for UPDATE.
  tenant_lock: CHANGE,
  relay_cursor: [...APPEND, 'UPDATE (published_sequence)'],
  relay_lease: CHANGE,
  dead_letter: APPEND,
  price: APPEND,
  correction: APPEND,
  cost_revision: APPEND,
  reprice_run: APPEND,
  period_close: APPEND,
  archived_charge: ['SELECT'],
  erasure_event: [...APPEND, 'UPDATE (user_profile)'],
  // Only the function reads and writes them.
  erasure: [],
  erasure_key: [],
  archive: [...APPEND, 'UPDATE (end_time, sequence)'],
  usage_rollup: [...CHANGE, 'DELETE'],
  usage_cursor: [...APPEND, 'UPDATE (sequence)'],
  tenant: CHANGE,
  api_key: CHANGE,
  audit_entry: APPEND,
  user_profile: CHANGE,
  // For a start as a login role that may do no more than the service: it finds that nothing is to be migrated.
  migration: ['SELECT'],
};

/** PostgreSQL 16 tells apart who has a role's privileges and who may work as it. */
const MAY_SET = `pg_has_role(pg_roles.oid,
  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`;

/**
 * SQL that makes a session work as the role, if there is one that the login role may work as and that may use the
 * tables. The search path is resolved before, because it may name the login role.
 */
export const BECOME_SERVICE = `
SELECT set_config('search_path',
    (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name), false),
  set_config('role', rolname, false)
FROM pg_roles WHERE rolname = '${SERVICE_ROLE}' AND ${MAY_SET}
  AND has_table_privilege(oid, to_regclass('charge'), 'INSERT')`;

/**
 * Makes the role if there is none and the owner of the tables may do that, and grants it what it lacks: everything after
 * a migration. Each start does so: the role belongs to the cluster, and a database that was restored elsewhere, or was
 * migrated before there was the role, does not bring it along. Without the role, the sessions work as the login role.
 */
export async function prepareServiceRole(client: ClientBase, hasMigrated: boolean): Promise<void> {
  await client.query(CREATE_ROLE);
  const { rows } = await client.query<{ missing: boolean; schema: boolean }>(MISSING, [
    Object.entries(TABLE_PRIVILEGES).flatMap(([table, privileges]) => privileges.map(() => table)),
    Object.values(TABLE_PRIVILEGES).flatMap((privileges) => privileges.map((name) => name.split(' ')[0])),
  ]);
  const [row] = rows;
  if (row?.schema) await client.query(GRANT_SCHEMA);
  if (row === undefined || !(row.missing || hasMigrated)) return;
  const grants = Object.entries(TABLE_PRIVILEGES).flatMap(([table, privileges]) =>
    privileges.length === 0 ? [] : `GRANT ${privileges.join(', ')} ON ${table} TO ${SERVICE_ROLE}`,
  );
  await client.query([...grants, GRANT_FUNCTIONS].join('; '));
}

/** Other databases of the cluster may do the same at this moment. */
const CREATE_ROLE = `
DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${SERVICE_ROLE}') THEN
    CREATE ROLE ${SERVICE_ROLE} NOLOGIN;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '${SERVICE_ROLE}' AND NOT ${MAY_SET}) THEN
    GRANT ${SERVICE_ROLE} TO CURRENT_USER;
  END IF;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation OR internal_error THEN NULL;
END $do$`;

const SCHEMA = `(SELECT relnamespace FROM pg_class WHERE pg_class.oid = 'charge'::regclass)`;

const GRANT_SCHEMA = `
DO $do$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %s TO ${SERVICE_ROLE}', ${SCHEMA}::regnamespace); END $do$`;

/** pg_restore takes a function's privileges as one: without the role, it leaves the function to everybody. */
const GRANT_FUNCTIONS = `REVOKE ALL ON FUNCTION archive_charges, erase_user_profile FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive_charges, erase_user_profile TO ${SERVICE_ROLE}`;

const MISSING = `
SELECT bool_or(NOT CASE privilege WHEN 'UPDATE' THEN has_any_column_privilege(pg_roles.oid, relation, privilege)
    ELSE has_table_privilege(pg_roles.oid, relation, privilege) END) AS missing,
  NOT has_schema_privilege(pg_roles.oid, ${SCHEMA}, 'USAGE') AS schema
FROM pg_roles CROSS JOIN unnest($1::text[], $2::text[]) AS wanted (relation, privilege)
WHERE rolname = '${SERVICE_ROLE}' GROUP BY pg_roles.oid`;

/** Who the sessions of a database work as. */
interface Session {
  readonly role: string;
  readonly login: string;
  readonly is_unbound: boolean;
  readonly is_owner: boolean;
  /** Null: it sees no table of charges. */
  readonly may_write: boolean | null;
}

/**
 * What does not keep tenants apart, or the past safe, in the sessions of this database, for operators; undefined: all is
 * as it should be. Throws if the sessions may not use the tables at all.
 */
export async function isolationFault({ pool }: { readonly pool: Pool }): Promise<string | undefined> {
  const { rows } = await pool.query<Session>(SESSION);
  const [session] = rows;
  if (session === undefined) throw new Error('PostgreSQL did not say who this session works as');
  const { role, login, is_unbound, is_owner, may_write } = session;
  if (may_write === null) {
    throw new Error(
      `the role "${role}" sees no table of charges: DATABASE_URL and MIGRATION_DATABASE_URL must lead to the same ` +
        `database and schema, with GRANT ${SERVICE_ROLE} TO "${login}"`,
    );
  }
  if (!may_write) {
    throw new Error(`the role "${role}" may not use the tables: GRANT ${SERVICE_ROLE} TO "${login}"`);
  }
  const advice = `Make the role ${SERVICE_ROLE} and grant it to "${login}" (docs/postgresql.md)`;
  if (is_unbound) {
    return `PostgreSQL does not keep tenants apart: "${role}" is a superuser or has BYPASSRLS. ${advice}`;
  }
  if (is_owner) return `"${role}" owns the tables, and could change the past. ${advice}`;
  return undefined;
}

const SESSION = `
SELECT current_user AS role, session_user AS login, rolsuper OR rolbypassrls AS is_unbound,
  pg_has_role(relowner, 'USAGE') AS is_owner, has_table_privilege(pg_class.oid, 'INSERT') AS may_write
FROM pg_roles LEFT JOIN pg_class ON pg_class.oid = to_regclass('charge') WHERE rolname = current_user`;
