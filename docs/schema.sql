-- What the migrations make, as PostgreSQL describes it. Written by `npm run schema:dump`; not to be edited.

CREATE TABLE api_key (
  create_time timestamp(6) with time zone NOT NULL,
  expire_time timestamp(6) with time zone,
  revoke_time timestamp(6) with time zone,
  last_use_time timestamp(6) with time zone,
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  secret_hash bytea NOT NULL,
  scopes text[] NOT NULL,
  user_profile text COLLATE "C",
  display_name text COLLATE "C",
  CONSTRAINT api_key_pkey PRIMARY KEY (id)
);

CREATE TABLE archive (
  end_time timestamp(6) with time zone NOT NULL,
  sequence bigint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  CONSTRAINT archive_pkey PRIMARY KEY (tenant)
);

CREATE TABLE archived_charge (
  id uuid NOT NULL,
  request_key uuid NOT NULL,
  content_hash uuid NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  CONSTRAINT archived_charge_pkey PRIMARY KEY (tenant, request_key),
  CONSTRAINT archived_charge_id_key UNIQUE (tenant, id)
);

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
);

CREATE TABLE charge (
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  total_tokens bigint NOT NULL,
  cost_nanos bigint,
  usage_time timestamp(6) with time zone NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
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
);

CREATE TABLE correction (
  sequence bigint NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
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
);

CREATE TABLE cost_revision (
  sequence bigint NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
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
);

CREATE TABLE dead_letter (
  tenant text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  reason text COLLATE "C" NOT NULL,
  create_time timestamp(6) with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant, sequence)
);

CREATE TABLE erasure (
  charges bigint,
  tenant text COLLATE "C" NOT NULL,
  pseudonym text COLLATE "C" NOT NULL,
  id_hash bytea NOT NULL,
  CONSTRAINT erasure_pkey PRIMARY KEY (tenant, id_hash),
  CONSTRAINT erasure_pseudonym_key UNIQUE (tenant, pseudonym)
);

CREATE TABLE erasure_event (
  sequence bigint NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
  charges bigint NOT NULL,
  id uuid NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  pseudonym text COLLATE "C" NOT NULL,
  user_profile text COLLATE "C",
  CONSTRAINT erasure_event_pkey PRIMARY KEY (tenant, id)
);

CREATE TABLE erasure_key (
  tenant text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  CONSTRAINT erasure_key_pkey PRIMARY KEY (tenant)
);

CREATE TABLE journal (
  tenant text COLLATE "C" NOT NULL,
  last_sequence bigint NOT NULL,
  kind smallint NOT NULL,
  event_ids uuid[] STORAGE EXTERNAL NOT NULL,
  CONSTRAINT journal_pkey PRIMARY KEY (tenant, last_sequence)
);

CREATE TABLE journal_head (
  tenant text COLLATE "C" NOT NULL,
  last_sequence bigint NOT NULL,
  price_version integer NOT NULL DEFAULT 0,
  user_profile_version integer NOT NULL DEFAULT 0,
  has_archive boolean NOT NULL DEFAULT false,
  repaired_sequence bigint NOT NULL DEFAULT 0,
  CONSTRAINT journal_head_pkey PRIMARY KEY (tenant)
) WITH (fillfactor=10);

CREATE TABLE migration (
  id integer NOT NULL DEFAULT nextval('migration_id_seq'::regclass),
  name character varying(255) NOT NULL,
  executed_at timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT migration_pkey PRIMARY KEY (id)
);

CREATE TABLE period_close (
  end_time timestamp(6) with time zone NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
  sequence bigint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  CONSTRAINT period_close_pkey PRIMARY KEY (tenant, end_time)
);

CREATE TABLE price (
  effective_time timestamp(6) with time zone NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
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
);

CREATE TABLE relay_cursor (
  tenant text COLLATE "C" NOT NULL,
  published_sequence bigint NOT NULL,
  CONSTRAINT relay_cursor_pkey PRIMARY KEY (tenant)
) WITH (fillfactor=10);

CREATE TABLE relay_lease (
  name text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  holder uuid NOT NULL,
  expire_time timestamp(6) with time zone NOT NULL,
  CONSTRAINT relay_lease_pkey PRIMARY KEY (name)
) WITH (fillfactor=10);

CREATE TABLE reprice_run (
  create_time timestamp(6) with time zone NOT NULL,
  run integer NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  filter jsonb NOT NULL,
  CONSTRAINT reprice_run_pkey PRIMARY KEY (tenant, run),
  CONSTRAINT reprice_run_run_id_key UNIQUE (tenant, run_id)
);

CREATE TABLE tenant (
  create_time timestamp(6) with time zone NOT NULL,
  suspend_time timestamp(6) with time zone,
  calls_in_flight_max integer NOT NULL DEFAULT 0,
  streams_max integer NOT NULL DEFAULT 0,
  charges_per_second_max integer NOT NULL DEFAULT 0,
  unknown_user_profiles smallint NOT NULL DEFAULT 0,
  tenant text COLLATE "C" NOT NULL,
  display_name text COLLATE "C",
  CONSTRAINT tenant_pkey PRIMARY KEY (tenant)
);

CREATE TABLE tenant_lock (
  tenant text COLLATE "C" NOT NULL,
  CONSTRAINT tenant_lock_pkey PRIMARY KEY (tenant)
);

CREATE TABLE usage_cursor (
  tenant text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  CONSTRAINT usage_cursor_pkey PRIMARY KEY (tenant)
) WITH (fillfactor=10);

CREATE TABLE usage_rollup (
  start_time timestamp(6) with time zone NOT NULL,
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
  CONSTRAINT usage_rollup_pkey PRIMARY KEY (tenant, level, start_time, user_profile, model, provider, other_provider, charge_type, service_tier, region, call_outcome, cost_currency, reported_cost_currency)
) PARTITION BY LIST (level);

CREATE TABLE usage_rollup_day PARTITION OF usage_rollup FOR VALUES IN ('2') WITH (fillfactor=80);

CREATE TABLE usage_rollup_quarter_hour PARTITION OF usage_rollup FOR VALUES IN ('1') WITH (fillfactor=80);

CREATE TABLE usage_rollup_user_day PARTITION OF usage_rollup FOR VALUES IN ('3') WITH (fillfactor=80);

CREATE TABLE user_profile (
  create_time timestamp(6) with time zone NOT NULL,
  update_time timestamp(6) with time zone NOT NULL,
  disable_time timestamp(6) with time zone,
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  display_name text COLLATE "C",
  email text COLLATE "C",
  labels jsonb,
  external_ids jsonb,
  CONSTRAINT user_profile_pkey PRIMARY KEY (tenant, id)
);

CREATE INDEX api_key_tenant_idx ON public.api_key USING btree (tenant, create_time, id);

CREATE INDEX charge_import_id_idx ON public.charge USING btree (tenant, import_id, usage_time, create_time) WHERE (import_id IS NOT NULL);

CREATE INDEX charge_reference_idx ON public.charge USING btree (tenant, reference, usage_time, create_time) WHERE (reference IS NOT NULL);

CREATE INDEX charge_session_key_idx ON public.charge USING btree (tenant, session_key, usage_time, create_time) WHERE (session_key IS NOT NULL);

CREATE INDEX charge_usage_time_idx ON public.charge USING btree (tenant, usage_time, create_time);

CREATE INDEX charge_user_profile_idx ON public.charge USING btree (tenant, user_profile, usage_time, create_time);

CREATE INDEX erasure_event_create_time_idx ON public.erasure_event USING btree (create_time) WHERE (user_profile IS NOT NULL);

CREATE OR REPLACE FUNCTION public.archive_charges(ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 STRICT SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
          DECLARE
            of_tenant CONSTANT text := current_setting('charge.tenant', true);
          BEGIN
            PERFORM set_config('charge.archiving', 'on', true);
            INSERT INTO archived_charge (tenant, request_key, id, content_hash)
            SELECT of_tenant, found.request_key, found.id, found.content_hash
            FROM unnest(ids) AS wanted (id) CROSS JOIN LATERAL (
              SELECT * FROM charge WHERE charge.tenant = (SELECT of_tenant) AND charge.id = wanted.id OFFSET 0
            ) AS found;
            DELETE FROM cost_revision USING unnest(ids) AS archived (id)
            WHERE cost_revision.tenant = of_tenant AND cost_revision.charge_id = archived.id;
            DELETE FROM charge USING unnest(ids) AS archived (id)
            WHERE charge.tenant = of_tenant AND charge.id = archived.id;
            PERFORM set_config('charge.archiving', 'off', true);
          END $function$
;

CREATE OR REPLACE FUNCTION public.archived_charge_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'archived_charge is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.audit_entry_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin IF TG_OP = 'UPDATE' AND current_setting('charge.erasing', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'audit_entry is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.charge_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin IF TG_OP = 'UPDATE' AND current_setting('charge.erasing', true) = 'on' THEN RETURN NULL; END IF; IF TG_OP = 'DELETE' AND current_setting('charge.archiving', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'charge is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.correction_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin IF TG_OP = 'UPDATE' AND current_setting('charge.erasing', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'correction is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.cost_revision_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin IF TG_OP = 'DELETE' AND current_setting('charge.archiving', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'cost_revision is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.erase_user_profile(of_user_profile text, charges_max integer, is_known boolean, OUT erased_as text, OUT ids uuid[], OUT all_charges bigint, OUT changed boolean, OUT done boolean)
 RETURNS record
 LANGUAGE plpgsql
 STRICT SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$ 
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
  PERFORM set_config('charge.erasing', 'on', true);
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
  PERFORM set_config('charge.erasing', 'off', true);

  n := cardinality(ids);
  all_charges := coalesce(before, 0) + n;
  changed := before IS NOT NULL OR n + others > 0;
  done := n < charges_max;
  UPDATE erasure SET charges = CASE WHEN changed AND NOT done THEN all_charges END
  WHERE tenant = of_tenant AND id_hash = hash;
END $function$
;

CREATE OR REPLACE FUNCTION public.journal_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'journal is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.period_close_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'period_close is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.price_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'price is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.refuse_archived_request_ids(of_tenant text, request_keys uuid[])
 RETURNS void
 LANGUAGE plpgsql
 STRICT
AS $function$
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
      END $function$
;

CREATE OR REPLACE FUNCTION public.reprice_run_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin IF TG_OP = 'UPDATE' AND current_setting('charge.erasing', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'reprice_run is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.archived_charge FOR EACH STATEMENT EXECUTE FUNCTION archived_charge_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.archived_charge FOR EACH STATEMENT EXECUTE FUNCTION archived_charge_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.charge FOR EACH STATEMENT EXECUTE FUNCTION charge_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.charge FOR EACH STATEMENT EXECUTE FUNCTION charge_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.correction FOR EACH STATEMENT EXECUTE FUNCTION correction_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.correction FOR EACH STATEMENT EXECUTE FUNCTION correction_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.cost_revision FOR EACH STATEMENT EXECUTE FUNCTION cost_revision_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.cost_revision FOR EACH STATEMENT EXECUTE FUNCTION cost_revision_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.journal FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.journal FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.period_close FOR EACH STATEMENT EXECUTE FUNCTION period_close_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.period_close FOR EACH STATEMENT EXECUTE FUNCTION period_close_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.price FOR EACH STATEMENT EXECUTE FUNCTION price_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.price FOR EACH STATEMENT EXECUTE FUNCTION price_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.reprice_run FOR EACH STATEMENT EXECUTE FUNCTION reprice_run_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.reprice_run FOR EACH STATEMENT EXECUTE FUNCTION reprice_run_append_only_fn();

ALTER TABLE api_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON api_key AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE archive ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON archive AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE archived_charge ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON archived_charge AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON audit_entry AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE charge ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON charge AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE correction ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON correction AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE cost_revision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON cost_revision AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON dead_letter AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE erasure ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON erasure AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE erasure_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON erasure_event AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE erasure_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON erasure_key AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE journal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON journal AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE journal_head ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON journal_head AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE period_close ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON period_close AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE price ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON price AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE relay_cursor ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON relay_cursor AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE reprice_run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON reprice_run AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON tenant AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE tenant_lock ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON tenant_lock AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE usage_cursor ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage_cursor AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE usage_rollup ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage_rollup AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE usage_rollup_day ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage_rollup_day AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE usage_rollup_quarter_hour ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage_rollup_quarter_hour AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE usage_rollup_user_day ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage_rollup_user_day AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));

ALTER TABLE user_profile ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON user_profile AS PERMISSIVE FOR ALL TO public USING (((tenant = ( SELECT current_setting('charge.tenant'::text, true) AS current_setting)) OR (( SELECT current_setting('charge.tenant'::text, true) AS current_setting) = '*'::text)));
