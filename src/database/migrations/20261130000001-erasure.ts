import { Migration } from '@mikro-orm/migrations';

import { erasableAndArchivableBody, erasableBody, ERASING } from './append-only.ts';
import { rowSecurity } from './row-security.ts';

/** Erases persons, and makes that the only way to change a charge. */
export class Erasure extends Migration {
  override up(): void {
    this.addSql(`
      CREATE TABLE erasure_event (
        sequence bigint NOT NULL,
        create_time timestamptz(6) NOT NULL,
        charges bigint NOT NULL,
        id uuid NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        pseudonym text COLLATE "C" NOT NULL,
        user_profile text COLLATE "C",
        CONSTRAINT erasure_event_pkey PRIMARY KEY (tenant, id)
      )`);
    this.addSql(`
      CREATE INDEX erasure_event_create_time_idx ON erasure_event (create_time) WHERE user_profile IS NOT NULL`);
    this.addSql(`
      CREATE TABLE erasure (
        charges bigint,
        tenant text COLLATE "C" NOT NULL,
        pseudonym text COLLATE "C" NOT NULL,
        id_hash bytea NOT NULL,
        CONSTRAINT erasure_pkey PRIMARY KEY (tenant, id_hash),
        CONSTRAINT erasure_pseudonym_key UNIQUE (tenant, pseudonym)
      )`);
    this.addSql(`
      CREATE TABLE erasure_key (
        tenant text COLLATE "C" NOT NULL CONSTRAINT erasure_key_pkey PRIMARY KEY,
        key bytea NOT NULL
      )`);
    for (const [table, body] of [
      ['charge', erasableAndArchivableBody('charge')],
      ...['correction', 'reprice_run', 'audit_entry'].map((name) => [name, erasableBody(name)] as const),
    ] as const) {
      this.addSql(
        `CREATE OR REPLACE FUNCTION ${table}_append_only_fn() RETURNS trigger AS $$ begin ${body}; end; $$ LANGUAGE plpgsql`,
      );
    }
    for (const statement of rowSecurity('erasure_event', 'erasure', 'erasure_key')) this.addSql(statement);
    // The service may not update these tables. The function may, as their owner, but only for the tenant of the
    // transaction, and it draws the pseudonym itself.
    this.addSql(`
      DO $do$ BEGIN
        EXECUTE format($make$
          CREATE FUNCTION erase_user_profile(
            of_user_profile text, charges_max integer, is_known boolean,
            OUT erased_as text, OUT ids uuid[], OUT all_charges bigint, OUT changed boolean, OUT done boolean
          ) AS $$ ${ERASE} $$ LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
          SET search_path = %I, pg_temp$make$,
          (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE pg_class.oid = 'charge'::regclass));
      END $do$`);
    this.addSql('REVOKE ALL ON FUNCTION erase_user_profile FROM PUBLIC');
  }
}

/**
 * Erases the next charges of a user profile, and everything else that names it. `is_known`: there is something of it
 * that the function does not look for. All results are NULL if nothing is known of the user profile. `ids`: the charges;
 * `all_charges`: with those of earlier calls, since the last one that was `done`; `changed`: any of these calls has
 * changed something.
 */
const ERASE = `
DECLARE
  of_tenant CONSTANT text := current_setting('charge.tenant', true);
  hash bytea;
  before bigint;
  sessions text[];
  others integer := 0;
  n integer;
BEGIN
  -- A pseudonym stands for itself.
  IF EXISTS (SELECT FROM erasure WHERE tenant = of_tenant AND pseudonym = of_user_profile) THEN
    erased_as := of_user_profile; ids := '{}'; all_charges := 0; changed := false; done := true;
    RETURN;
  END IF;
  SELECT sha256(key || sha256(key || convert_to(of_user_profile, 'UTF8'))) INTO hash
  FROM erasure_key WHERE tenant = of_tenant;
  IF NOT is_known
    AND NOT EXISTS (SELECT FROM user_profile WHERE tenant = of_tenant AND id = of_user_profile)
    AND NOT EXISTS (SELECT FROM charge WHERE tenant = of_tenant AND user_profile = of_user_profile)
    AND NOT EXISTS (SELECT FROM erasure WHERE tenant = of_tenant AND id_hash = hash) THEN
    RETURN;
  END IF;
  IF hash IS NULL THEN
    INSERT INTO erasure_key (tenant, key)
    VALUES (of_tenant, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    RETURNING sha256(key || sha256(key || convert_to(of_user_profile, 'UTF8'))) INTO hash;
  END IF;
  INSERT INTO erasure (tenant, id_hash, pseudonym)
  VALUES (of_tenant, hash, 'erased-' || left(encode(sha256(uuid_send(gen_random_uuid())), 'hex'), 16))
  ON CONFLICT (tenant, id_hash) DO NOTHING;
  SELECT pseudonym, charges INTO erased_as, before FROM erasure WHERE tenant = of_tenant AND id_hash = hash;

  SELECT coalesce(array_agg(next.id), '{}'), array_agg(DISTINCT next.session_key) INTO ids, sessions FROM (
    SELECT id, session_key FROM charge WHERE tenant = of_tenant AND user_profile = of_user_profile
    ORDER BY user_profile, usage_time LIMIT charges_max
  ) AS next;
  PERFORM set_config('${ERASING}', 'on', true);
  -- A hash of the content would let guesses of it be tested. This one is of no content.
  UPDATE charge SET user_profile = erased_as, session_key = NULL, reference = NULL, labels = NULL, request_id = NULL,
    traceparent = NULL, content_hash = '00000000-0000-0000-0000-000000000000'
  WHERE tenant = of_tenant AND id = ANY (ids);
  UPDATE correction SET reason = 'erased', request_id = NULL, traceparent = NULL
  WHERE tenant = of_tenant AND charge_id = ANY (
    ids || ARRAY(SELECT amends FROM charge WHERE tenant = of_tenant AND id = ANY (ids) AND amends IS NOT NULL));

  UPDATE reprice_run SET reason = 'erased',
    filter = (filter - '{filter.session_key,filter.reference,filter.labels}'::text[]) || CASE
      WHEN filter ->> 'filter.user_profile' = of_user_profile THEN jsonb_build_object('filter.user_profile', erased_as)
      ELSE '{}' END
  WHERE tenant = of_tenant
    AND (filter ->> 'filter.user_profile' = of_user_profile OR filter ->> 'filter.session_key' = ANY (sessions));
  GET DIAGNOSTICS n = ROW_COUNT; others := others + n;
  DELETE FROM user_profile WHERE tenant = of_tenant AND id = of_user_profile;
  GET DIAGNOSTICS n = ROW_COUNT; others := others + n;
  UPDATE api_key SET user_profile = erased_as, display_name = NULL,
    revoke_time = coalesce(revoke_time, clock_timestamp())
  WHERE tenant = of_tenant AND user_profile = of_user_profile;
  GET DIAGNOSTICS n = ROW_COUNT; others := others + n;
  -- What was done to a user profile may say who that is, and so may the name of a key. Nothing else of an entry changes,
  -- whatever the id is: who may erase must not rewrite what was done.
  UPDATE audit_entry SET target = CASE WHEN details ->> 'user_profile' = of_user_profile THEN target ELSE erased_as END,
    details = CASE WHEN details ->> 'user_profile' = of_user_profile
      THEN details - 'display_name' || jsonb_build_object('user_profile', erased_as) END
  WHERE tenant = of_tenant AND (
    (target = of_user_profile AND starts_with(action, 'charge.v1.UserProfileService/'))
    OR details ->> 'user_profile' = of_user_profile);
  GET DIAGNOSTICS n = ROW_COUNT; others := others + n;
  PERFORM set_config('${ERASING}', 'off', true);

  n := cardinality(ids);
  all_charges := coalesce(before, 0) + n;
  changed := before IS NOT NULL OR n + others > 0;
  done := n < charges_max;
  UPDATE erasure SET charges = CASE WHEN changed AND NOT done THEN all_charges END
  WHERE tenant = of_tenant AND id_hash = hash;
END`;
