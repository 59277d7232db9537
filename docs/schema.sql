-- What the migrations make, as PostgreSQL describes it. Written by `npm run schema:dump`; not to be edited.

CREATE TABLE charge (
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  total_tokens bigint NOT NULL,
  usage_time timestamp(6) with time zone NOT NULL,
  create_time timestamp(6) with time zone NOT NULL,
  id uuid NOT NULL,
  request_key uuid NOT NULL,
  content_hash uuid NOT NULL,
  provider smallint NOT NULL,
  charge_type smallint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  user_profile text COLLATE "C" NOT NULL,
  session_key text COLLATE "C",
  model text COLLATE "C",
  request_id text COLLATE "C",
  reference text COLLATE "C",
  other_provider text COLLATE "C",
  labels jsonb,
  cache_read_tokens bigint,
  cache_write_5m_tokens bigint,
  cache_write_1h_tokens bigint,
  reasoning_tokens bigint,
  audio_input_tokens bigint,
  audio_output_tokens bigint,
  traceparent text COLLATE "C",
  CONSTRAINT charge_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT charge_request_key UNIQUE (tenant, request_key)
);

CREATE TABLE dead_letter (
  tenant text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  reason text COLLATE "C" NOT NULL,
  create_time timestamp(6) with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant, sequence)
);

CREATE TABLE journal (
  tenant text COLLATE "C" NOT NULL,
  last_sequence bigint NOT NULL,
  charge_ids uuid[] STORAGE EXTERNAL NOT NULL,
  CONSTRAINT journal_pkey PRIMARY KEY (tenant, last_sequence)
);

CREATE TABLE journal_head (
  tenant text COLLATE "C" NOT NULL,
  last_sequence bigint NOT NULL,
  CONSTRAINT journal_head_pkey PRIMARY KEY (tenant)
) WITH (fillfactor=10);

CREATE TABLE migration (
  id integer NOT NULL DEFAULT nextval('migration_id_seq'::regclass),
  name character varying(255) NOT NULL,
  executed_at timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT migration_pkey PRIMARY KEY (id)
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

CREATE INDEX charge_reference_idx ON public.charge USING btree (tenant, reference, usage_time, create_time) WHERE (reference IS NOT NULL);

CREATE INDEX charge_session_key_idx ON public.charge USING btree (tenant, session_key, usage_time, create_time) WHERE (session_key IS NOT NULL);

CREATE INDEX charge_usage_time_idx ON public.charge USING btree (tenant, usage_time, create_time);

CREATE INDEX charge_user_profile_idx ON public.charge USING btree (tenant, user_profile, usage_time, create_time);

CREATE OR REPLACE FUNCTION public.charge_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'charge is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE OR REPLACE FUNCTION public.journal_append_only_fn()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ begin RAISE EXCEPTION 'journal is append-only' USING ERRCODE = 'insufficient_privilege'; end; $function$
;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.charge FOR EACH STATEMENT EXECUTE FUNCTION charge_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.charge FOR EACH STATEMENT EXECUTE FUNCTION charge_append_only_fn();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.journal FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only_fn();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.journal FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only_fn();
