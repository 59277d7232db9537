import { Migration } from '@mikro-orm/migrations';

import { appendOnlyTables } from './append-only.ts';

/** Tenants, their credentials and user profiles, and what administrators did. */
export class Tenants extends Migration {
  override up(): void {
    this.addSql(`
      CREATE TABLE tenant (
        create_time timestamptz(6) NOT NULL,
        suspend_time timestamptz(6),
        calls_in_flight_max integer NOT NULL DEFAULT 0,
        streams_max integer NOT NULL DEFAULT 0,
        charges_per_second_max integer NOT NULL DEFAULT 0,
        unknown_user_profiles smallint NOT NULL DEFAULT 0,
        tenant text COLLATE "C" NOT NULL CONSTRAINT tenant_pkey PRIMARY KEY,
        display_name text COLLATE "C"
      )`);
    this.addSql(`
      CREATE TABLE api_key (
        create_time timestamptz(6) NOT NULL,
        expire_time timestamptz(6),
        revoke_time timestamptz(6),
        last_use_time timestamptz(6),
        tenant text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL CONSTRAINT api_key_pkey PRIMARY KEY,
        secret_hash bytea NOT NULL,
        scopes text[] NOT NULL,
        user_profile text COLLATE "C",
        display_name text COLLATE "C"
      )`);
    this.addSql(`CREATE INDEX api_key_tenant_idx ON api_key (tenant, create_time, id)`);
    this.addSql(`
      CREATE TABLE audit_entry (
        id uuid NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        actor text COLLATE "C" NOT NULL,
        actor_tenant text COLLATE "C" NOT NULL,
        action text COLLATE "C" NOT NULL,
        target text COLLATE "C",
        peer text COLLATE "C",
        details jsonb,
        CONSTRAINT audit_entry_pkey PRIMARY KEY (tenant, id)
      )`);
    this.addSql(`
      CREATE TABLE user_profile (
        create_time timestamptz(6) NOT NULL,
        update_time timestamptz(6) NOT NULL,
        disable_time timestamptz(6),
        tenant text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        display_name text COLLATE "C",
        email text COLLATE "C",
        labels jsonb,
        external_ids jsonb,
        CONSTRAINT user_profile_pkey PRIMARY KEY (tenant, id)
      )`);
    for (const statement of appendOnlyTables('audit_entry')) this.addSql(statement);
    this.addSql(`INSERT INTO tenant (tenant, create_time) VALUES ('default', clock_timestamp())`);
  }
}
