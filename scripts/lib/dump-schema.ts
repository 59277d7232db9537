/**
 * The schema as the database itself describes it, as text that a person reads and git compares. The
 * committed `docs/schema.sql` is this of a freshly migrated database.
 */

import type { Pool } from 'pg';

const HEADER = `-- What the migrations make, as PostgreSQL describes it. Written by \`npm run schema:dump\`; not to be edited.
`;

/** Reads tables, constraints, indexes, triggers, functions and row-level security of the schema `public`. */
export async function dumpSchema(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ section: string }>(DUMP);
  return `${HEADER}\n${rows.map(({ section }) => section).join('\n\n')}\n`;
}

const DUMP = `
WITH tables AS (
  SELECT oid, relname, reloptions, pg_get_partkeydef(oid) AS key FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
), columns AS (
  SELECT attrelid, string_agg(
    format('  %I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
      CASE WHEN attstorage <> typstorage THEN ' STORAGE '
        || CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
        ELSE '' END,
      CASE WHEN attcollation <> typcollation THEN format(' COLLATE %I', collname) ELSE '' END,
      CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
      coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')),
    E',\\n' ORDER BY attnum) AS list
  FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
  LEFT JOIN pg_collation ON pg_collation.oid = attcollation
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped GROUP BY attrelid
), constraints AS (
  SELECT conrelid, string_agg(
    format(E',\\n  CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), '' ORDER BY contype, conname) AS list
  FROM pg_constraint WHERE contype <> 'n' GROUP BY conrelid
), sections AS (
  SELECT 1 AS part, relname AS name, format(E'CREATE TABLE %I (\\n%s%s\\n)%s%s;', relname, columns.list,
    coalesce(constraints.list, ''), coalesce(' PARTITION BY ' || key, ''),
    coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '')) AS section
  FROM tables JOIN columns ON attrelid = tables.oid LEFT JOIN constraints ON conrelid = tables.oid
  UNION ALL
  SELECT 1, parent.relname || '.' || child.relname, format('CREATE TABLE %I PARTITION OF %I %s%s;', child.relname,
    parent.relname, pg_get_expr(child.relpartbound, child.oid),
    coalesce(' WITH (' || array_to_string(child.reloptions, ', ') || ')', ''))
  FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid JOIN tables AS parent ON parent.oid = inhparent
  UNION ALL
  SELECT 2, indexname, indexdef || ';' FROM pg_indexes
  WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)
  UNION ALL
  SELECT 3, proname, pg_get_functiondef(oid) || ';' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 4, relname || '.' || tgname, pg_get_triggerdef(pg_trigger.oid) || ';'
  FROM pg_trigger JOIN tables ON tgrelid = tables.oid WHERE NOT tgisinternal
  UNION ALL
  SELECT 5, relname, concat_ws(E'\n', format('ALTER TABLE %I%s%s;', relname, ' ENABLE ROW LEVEL SECURITY',
      CASE WHEN relforcerowsecurity THEN ', FORCE ROW LEVEL SECURITY' END),
    (SELECT string_agg(format('CREATE POLICY %I ON %I AS %s FOR %s TO %s USING (%s)%s;', policyname, relname,
        permissive, cmd, array_to_string(roles, ', '), regexp_replace(qual, '\\s+', ' ', 'g'),
        coalesce(' WITH CHECK (' || with_check || ')', '')), E'\n' ORDER BY policyname)
     FROM pg_policies WHERE schemaname = 'public' AND tablename = relname))
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
)
SELECT section FROM sections ORDER BY part, name COLLATE "C"`;
