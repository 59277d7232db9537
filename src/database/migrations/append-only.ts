/** What a migration adds so that rows of a table can only be inserted. */

/**
 * Statements that add the triggers of append-only tables. Functions are named and formatted as MikroORM does it, so
 * that its comparison finds no difference.
 */
export function appendOnlyTables(...tables: readonly string[]): string[] {
  return tables.flatMap((table) => [
    `CREATE FUNCTION ${table}_append_only_fn() RETURNS trigger AS $$ begin ` +
      `RAISE EXCEPTION '${table} is append-only' USING ERRCODE = 'insufficient_privilege'; ` +
      `end; $$ LANGUAGE plpgsql`,
    `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION ${table}_append_only_fn()`,
    `CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION ${table}_append_only_fn()`,
  ]);
}
