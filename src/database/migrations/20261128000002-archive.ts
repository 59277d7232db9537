import { Migration } from '@mikro-orm/migrations';

import { appendOnlyTables } from './append-only.ts';

/** What stays of charges that were archived, and how far the journal can no longer be read. */
export class Archive extends Migration {
  override up(): void {
    this.addSql(`
      CREATE TABLE archived_charge (
        id uuid NOT NULL,
        request_key uuid NOT NULL,
        content_hash uuid NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        CONSTRAINT archived_charge_pkey PRIMARY KEY (tenant, request_key),
        CONSTRAINT archived_charge_id_key UNIQUE (tenant, id)
      )`);
    this.addSql(`
      CREATE TABLE archive (
        end_time timestamptz(6) NOT NULL,
        sequence bigint NOT NULL,
        tenant text COLLATE "C" NOT NULL CONSTRAINT archive_pkey PRIMARY KEY
      )`);
    // The write statement calls it for the charges that it has inserted. It is VOLATILE, so it looks with a new
    // snapshot: it also sees what was archived while the statement waited for a charge that was being removed. The
    // statement itself would not. Each key is looked up in the primary key, whatever the planner knows of the table.
    this.addSql(`
      CREATE FUNCTION refuse_archived_request_ids(of_tenant text, request_keys uuid[]) RETURNS void AS $$
      BEGIN
        IF EXISTS (
          SELECT FROM unnest(request_keys) AS wanted (value) CROSS JOIN LATERAL (
            SELECT FROM archived_charge
            WHERE tenant = (SELECT of_tenant) AND request_key = wanted.value OFFSET 0
          ) AS found
        ) THEN
          RAISE EXCEPTION 'a request id made a charge that is archived'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'archived_charge_pkey';
        END IF;
      END $$ LANGUAGE plpgsql VOLATILE STRICT`);
    for (const statement of appendOnlyTables('archived_charge')) this.addSql(statement);
  }
}
