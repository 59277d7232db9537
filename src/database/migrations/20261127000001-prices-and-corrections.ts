import { Migration } from '@mikro-orm/migrations';

import { appendOnlyTables, archivableTables } from './append-only.ts';

/** Price versions, and what is recorded about a charge after it was recorded: its correction and its later costs. */
export class PricesAndCorrections extends Migration {
  override up(): void {
    this.addSql(`
      CREATE TABLE price (
        effective_time timestamptz(6) NOT NULL,
        create_time timestamptz(6) NOT NULL,
        version integer NOT NULL,
        provider smallint NOT NULL,
        charge_type smallint NOT NULL,
        model_match smallint NOT NULL,
        service_tier smallint NOT NULL,
        basis smallint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        other_provider text COLLATE "C",
        model text COLLATE "C",
        region text COLLATE "C",
        currency_code text COLLATE "C",
        alias_model text COLLATE "C",
        rates jsonb,
        source text COLLATE "C",
        note text COLLATE "C",
        request_id text COLLATE "C" NOT NULL,
        CONSTRAINT price_pkey PRIMARY KEY (tenant, version),
        CONSTRAINT price_request_id_key UNIQUE (tenant, request_id)
      )`);
    // The primary key is what makes the second of two corrections of a charge fail.
    this.addSql(`
      CREATE TABLE correction (
        sequence bigint NOT NULL,
        create_time timestamptz(6) NOT NULL,
        charge_id uuid NOT NULL,
        id uuid NOT NULL,
        replacement_id uuid,
        state smallint NOT NULL,
        closed_period boolean NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL,
        request_id text COLLATE "C",
        traceparent text COLLATE "C",
        CONSTRAINT correction_pkey PRIMARY KEY (tenant, charge_id),
        CONSTRAINT correction_id_key UNIQUE (tenant, id),
        CONSTRAINT correction_request_id_key UNIQUE (tenant, request_id)
      )`);
    this.addSql(`
      CREATE TABLE cost_revision (
        sequence bigint NOT NULL,
        create_time timestamptz(6) NOT NULL,
        cost_nanos bigint,
        charge_id uuid NOT NULL,
        id uuid NOT NULL,
        run integer NOT NULL,
        revision integer NOT NULL,
        price_version integer,
        unpriced_kinds integer,
        unpriced_reason smallint,
        tenant text COLLATE "C" NOT NULL,
        cost_currency text COLLATE "C",
        CONSTRAINT cost_revision_pkey PRIMARY KEY (tenant, charge_id, revision),
        CONSTRAINT cost_revision_id_key UNIQUE (tenant, id)
      )`);
    this.addSql(`
      CREATE TABLE reprice_run (
        create_time timestamptz(6) NOT NULL,
        run integer NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        run_id text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL,
        filter jsonb NOT NULL,
        CONSTRAINT reprice_run_pkey PRIMARY KEY (tenant, run),
        CONSTRAINT reprice_run_run_id_key UNIQUE (tenant, run_id)
      )`);
    this.addSql(`
      CREATE TABLE period_close (
        end_time timestamptz(6) NOT NULL,
        create_time timestamptz(6) NOT NULL,
        sequence bigint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        CONSTRAINT period_close_pkey PRIMARY KEY (tenant, end_time)
      )`);
    this.addSql(
      `CREATE TABLE tenant_lock (tenant text COLLATE "C" NOT NULL CONSTRAINT tenant_lock_pkey PRIMARY KEY)`,
    );
    this.addSql(`INSERT INTO tenant_lock VALUES ('default')`);
    for (const statement of archivableTables('cost_revision')) this.addSql(statement);
    const tables = ['price', 'correction', 'reprice_run', 'period_close'];
    for (const statement of appendOnlyTables(...tables)) this.addSql(statement);
  }
}
