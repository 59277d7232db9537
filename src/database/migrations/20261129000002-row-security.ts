import { Migration } from '@mikro-orm/migrations';

import { ARCHIVING } from './append-only.ts';
import { rowSecurity } from './row-security.ts';

/** Keeps tenants apart, and makes archiving the only way to remove a charge. */
export class RowSecurity extends Migration {
  override up(): void {
    const tables = [
      ...['charge', 'journal', 'journal_head', 'tenant_lock', 'relay_cursor', 'dead_letter'],
      ...[
        'price',
        'correction',
        'cost_revision',
        'reprice_run',
        'period_close',
        'archived_charge',
        'archive',
      ],
      ...[
        'usage_rollup',
        'usage_rollup_quarter_hour',
        'usage_rollup_day',
        'usage_rollup_user_day',
        'usage_cursor',
      ],
      ...['tenant', 'api_key', 'audit_entry', 'user_profile'],
    ];
    for (const statement of rowSecurity(...tables)) this.addSql(statement);
    // The service may not delete from these tables. The function may, as their owner, but only what it keeps the request
    // id of, and only charges of the tenant of the transaction. If the owner is a superuser, no policy binds it.
    this.addSql(`
      DO $do$ BEGIN
        EXECUTE format($make$
          CREATE FUNCTION archive_charges(ids uuid[]) RETURNS void AS $$
          DECLARE
            of_tenant CONSTANT text := current_setting('charge.tenant', true);
          BEGIN
            PERFORM set_config('${ARCHIVING}', 'on', true);
            INSERT INTO archived_charge (tenant, request_key, id, content_hash)
            SELECT of_tenant, found.request_key, found.id, found.content_hash
            FROM unnest(ids) AS wanted (id) CROSS JOIN LATERAL (
              SELECT * FROM charge WHERE charge.tenant = (SELECT of_tenant) AND charge.id = wanted.id OFFSET 0
            ) AS found;
            DELETE FROM cost_revision USING unnest(ids) AS archived (id)
            WHERE cost_revision.tenant = of_tenant AND cost_revision.charge_id = archived.id;
            DELETE FROM charge USING unnest(ids) AS archived (id)
            WHERE charge.tenant = of_tenant AND charge.id = archived.id;
            PERFORM set_config('${ARCHIVING}', 'off', true);
          END $$ LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
          SET search_path = %I, pg_temp$make$,
          (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE pg_class.oid = 'charge'::regclass));
      END $do$`);
    this.addSql('REVOKE ALL ON FUNCTION archive_charges FROM PUBLIC');
  }
}
