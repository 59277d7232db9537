import { Migration } from '@mikro-orm/migrations';

/** Sums of charges, and how far each tenant's journal is in them. */
export class Usage extends Migration {
  override up(): void {
    // Sums are numeric: two charges can have more tokens than a bigint holds. Most are 0, and NULL stands for 0: it
    // takes no space, and adding it up no time. The free space lets most updates stay on their page.
    this.addSql(`
      CREATE TABLE usage_rollup (
        start_time timestamptz(6) NOT NULL,
        charges bigint NOT NULL,
        level smallint NOT NULL,
        provider smallint NOT NULL,
        charge_type smallint NOT NULL,
        service_tier smallint NOT NULL,
        call_outcome smallint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        user_profile text COLLATE "C" NOT NULL,
        model text COLLATE "C" NOT NULL,
        other_provider text COLLATE "C" NOT NULL,
        region text COLLATE "C" NOT NULL,
        cost_currency text COLLATE "C" NOT NULL,
        reported_cost_currency text COLLATE "C" NOT NULL,
        prompt_tokens numeric,
        completion_tokens numeric,
        total_tokens numeric,
        cache_read_tokens numeric,
        cache_write_5m_tokens numeric,
        cache_write_1h_tokens numeric,
        reasoning_tokens numeric,
        audio_input_tokens numeric,
        audio_output_tokens numeric,
        image_input_tokens numeric,
        image_output_tokens numeric,
        cost_nanos numeric,
        reported_cost_nanos numeric,
        search_queries numeric,
        input_images numeric,
        output_images numeric,
        input_milliseconds numeric,
        output_milliseconds numeric,
        input_characters numeric,
        output_characters numeric,
        CONSTRAINT usage_rollup_pkey PRIMARY KEY (tenant, level, start_time, user_profile, model, provider,
          other_provider, charge_type, service_tier, region, call_outcome, cost_currency,
          reported_cost_currency)
      ) PARTITION BY LIST (level)`);
    // Apart, because a question reads one level, and the days are few among millions of other rows.
    for (const [name, level] of [
      ['quarter_hour', 1],
      ['day', 2],
      ['user_day', 3],
    ] as const) {
      this.addSql(`
        CREATE TABLE usage_rollup_${name} PARTITION OF usage_rollup FOR VALUES IN (${level})
        WITH (fillfactor = 80)`);
    }
    this.addSql(`
      CREATE TABLE usage_cursor (
        tenant text COLLATE "C" NOT NULL CONSTRAINT usage_cursor_pkey PRIMARY KEY,
        sequence bigint NOT NULL
      ) WITH (fillfactor = 10)`);
    this.addSql(`INSERT INTO usage_cursor VALUES ('default', 0)`);
  }
}
