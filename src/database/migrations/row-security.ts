/** What a migration adds to a table with a column `tenant`, so that PostgreSQL keeps tenants apart. */

import { EVERY_TENANT, TENANT_SETTING } from '../tenant.ts';

/** As a sub-select, PostgreSQL reads the setting once for a statement, and not for each row. */
const SETTING = `(SELECT current_setting('${TENANT_SETTING}', true))`;

/**
 * Statements that show a session only the rows of its tenant, and let it write no others ({@link TENANT_SETTING}). They
 * bind the owner of the tables too, but no superuser and no role with BYPASSRLS. A partition needs them as well: the
 * policies of the table count only for who names the table.
 */
export function rowSecurity(...tables: readonly string[]): string[] {
  return tables.flatMap((table) => [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY one_tenant ON ${table} USING (tenant = ${SETTING} OR ${SETTING} = '${EVERY_TENANT}')`,
  ]);
}
