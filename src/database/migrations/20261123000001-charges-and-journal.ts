import { Migration } from '@mikro-orm/migrations';

import { appendOnlyTables, archivableTables } from './append-only.ts';

/** Charges, their journal, and the state of the relay. */
export class ChargesAndJournal extends Migration {
  override up(): void {
    // Columns of a fixed width come first, so that no text costs bytes of alignment, whatever its length.
    // Texts compare by their bytes: this is quicker than the order of any language, and no change of
    // that order in an operating system can damage an index.
    this.addSql(`
      CREATE TABLE charge (
        prompt_tokens bigint NOT NULL,
        completion_tokens bigint NOT NULL,
        total_tokens bigint NOT NULL,
        cost_nanos bigint,
        usage_time timestamptz(6) NOT NULL,
        create_time timestamptz(6) NOT NULL,
        id uuid NOT NULL,
        request_key uuid NOT NULL,
        content_hash uuid NOT NULL,
        price_version integer,
        unpriced_kinds integer,
        provider smallint NOT NULL,
        charge_type smallint NOT NULL,
        service_tier smallint,
        call_outcome smallint,
        unpriced_reason smallint,
        tenant text COLLATE "C" NOT NULL,
        user_profile text COLLATE "C" NOT NULL,
        session_key text COLLATE "C",
        model text COLLATE "C",
        request_id text COLLATE "C",
        reference text COLLATE "C",
        other_provider text COLLATE "C",
        region text COLLATE "C",
        cost_currency text COLLATE "C",
        labels jsonb,
        quantities jsonb,
        cache_read_tokens bigint,
        cache_write_5m_tokens bigint,
        cache_write_1h_tokens bigint,
        reasoning_tokens bigint,
        audio_input_tokens bigint,
        audio_output_tokens bigint,
        image_input_tokens bigint,
        image_output_tokens bigint,
        reported_cost_nanos bigint,
        reported_cost_currency text COLLATE "C",
        amends uuid,
        import_id uuid,
        traceparent text COLLATE "C",
        CONSTRAINT charge_pkey PRIMARY KEY (tenant, id),
        CONSTRAINT charge_request_key UNIQUE (tenant, request_key)
      )`);
    // Lists are ordered by usage time, then id. The first part of the id is the time of creation. With
    // that time instead of the id, an index entry takes 8 bytes less, and the charges of one millisecond
    // share one.
    this.addSql(`CREATE INDEX charge_usage_time_idx ON charge (tenant, usage_time, create_time)`);
    this.addSql(
      `CREATE INDEX charge_user_profile_idx ON charge (tenant, user_profile, usage_time, create_time)`,
    );
    this.addSql(`
      CREATE INDEX charge_session_key_idx ON charge (tenant, session_key, usage_time, create_time)
        WHERE session_key IS NOT NULL`);
    this.addSql(`
      CREATE INDEX charge_reference_idx ON charge (tenant, reference, usage_time, create_time)
        WHERE reference IS NOT NULL`);
    this.addSql(`
      CREATE INDEX charge_import_id_idx ON charge (tenant, import_id, usage_time, create_time)
        WHERE import_id IS NOT NULL`);

    this.addSql(`
      CREATE TABLE journal (
        tenant text COLLATE "C" NOT NULL,
        last_sequence bigint NOT NULL,
        kind smallint NOT NULL,
        event_ids uuid[] NOT NULL,
        CONSTRAINT journal_pkey PRIMARY KEY (tenant, last_sequence)
      )`);
    // Compressed, a charge would take 7 bytes less and 4 % more CPU time.
    this.addSql(`ALTER TABLE journal ALTER event_ids SET STORAGE EXTERNAL`);

    // One row per tenant and table, updated all the time: the free space lets every update stay on its page.
    this.addSql(`
      CREATE TABLE journal_head (
        tenant text COLLATE "C" NOT NULL CONSTRAINT journal_head_pkey PRIMARY KEY,
        last_sequence bigint NOT NULL,
        price_version integer NOT NULL DEFAULT 0,
        user_profile_version integer NOT NULL DEFAULT 0,
        has_archive boolean NOT NULL DEFAULT false,
        repaired_sequence bigint NOT NULL DEFAULT 0
      ) WITH (fillfactor = 10)`);
    this.addSql(`
      CREATE TABLE relay_cursor (
        tenant text COLLATE "C" NOT NULL CONSTRAINT relay_cursor_pkey PRIMARY KEY,
        published_sequence bigint NOT NULL
      ) WITH (fillfactor = 10)`);
    this.addSql(`
      CREATE TABLE relay_lease (
        name text COLLATE "C" NOT NULL CONSTRAINT relay_lease_pkey PRIMARY KEY,
        epoch bigint NOT NULL,
        holder uuid NOT NULL,
        expire_time timestamptz(6) NOT NULL
      ) WITH (fillfactor = 10)`);
    this.addSql(`
      CREATE TABLE dead_letter (
        tenant text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL,
        reason text COLLATE "C" NOT NULL,
        create_time timestamptz(6) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant, sequence)
      )`);
    this.addSql(`INSERT INTO journal_head VALUES ('default', 0)`);

    for (const statement of archivableTables('charge')) this.addSql(statement);
    for (const statement of appendOnlyTables('journal')) this.addSql(statement);
  }
}
