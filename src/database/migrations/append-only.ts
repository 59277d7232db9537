/** What a migration adds so that rows of a table can only be inserted. */

/**
 * The setting that allows its transaction to delete from tables of {@link archivableTables}, and nothing else: `on`. It
 * protects against mistakes, as the triggers do: who owns a table could also remove its triggers.
 */
export const ARCHIVING = 'charge.archiving';

/** The body of the trigger of an append-only table. */
export function appendOnlyBody(table: string): string {
  return `RAISE EXCEPTION '${table} is append-only' USING ERRCODE = 'insufficient_privilege'`;
}

/** The body of the trigger of a table of {@link archivableTables}. */
export function archivableBody(table: string): string {
  return (
    `IF TG_OP = 'DELETE' AND current_setting('${ARCHIVING}', true) = 'on' THEN RETURN NULL; END IF; ` +
    appendOnlyBody(table)
  );
}

/** The setting under which `erase_user_profile` alone runs: it allows to update rows of the tables that are named below. */
export const ERASING = 'charge.erasing';

const WHILE_ERASING = `IF TG_OP = 'UPDATE' AND current_setting('${ERASING}', true) = 'on' THEN RETURN NULL; END IF; `;

/** The body of the trigger of a table in whose rows persons are erased. */
export function erasableBody(table: string): string {
  return WHILE_ERASING + appendOnlyBody(table);
}

/** The same for charges, which are also archived. */
export function erasableAndArchivableBody(table: string): string {
  return WHILE_ERASING + archivableBody(table);
}

/**
 * Statements that add the triggers of append-only tables. Functions are named and formatted as MikroORM does it, so
 * that its comparison finds no difference.
 */
export function appendOnlyTables(...tables: readonly string[]): string[] {
  return tables.flatMap((table) => triggers(table, appendOnlyBody(table)));
}

/** The same for tables whose rows are removed when charges are archived. */
export function archivableTables(...tables: readonly string[]): string[] {
  return tables.flatMap((table) => triggers(table, archivableBody(table)));
}

function triggers(table: string, body: string): string[] {
  return [
    `CREATE FUNCTION ${table}_append_only_fn() RETURNS trigger AS $$ begin ${body}; end; $$ LANGUAGE plpgsql`,
    `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION ${table}_append_only_fn()`,
    `CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION ${table}_append_only_fn()`,
  ];
}
