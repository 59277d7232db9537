/** Writes and reads the audit log. */

import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';

import { mapRows } from '../../database/map-rows.ts';
import type { ReadConnections } from '../../database/read-connections.ts';
import type { Transaction } from '../../database/transaction.ts';
import type { Act, Actor, AuditEntry } from '../audit.ts';
import { AuditEntryEntity } from '../entity.ts';
import type { AuditLogReader } from '../ports.ts';
import { existingTenant } from './read-tenants.ts';

const NO_DETAILS: ReadonlyMap<string, string> = new Map();

/**
 * Adds an entry for an act of the transaction, which must be one of the tenant that the act is about. So there is an
 * entry exactly if the act happened. `id`: for an act that another attempt has to recognize; by default a new one.
 */
export async function appendAuditEntry(
  { em }: Pick<Transaction, 'em'>,
  actor: Actor,
  act: Act,
  id: string = uuidv7(),
): Promise<void> {
  await em.insert(AuditEntryEntity, rowOf(actor, act, id));
}

/** The same for the acts of several callers in one transaction, with one statement. Expects at least one. */
export async function appendAuditEntries(
  { em }: Pick<Transaction, 'em'>,
  entries: readonly { readonly actor: Actor; readonly act: Act }[],
): Promise<void> {
  await em.insertMany(
    AuditEntryEntity,
    entries.map(({ actor, act }) => rowOf(actor, act, uuidv7())),
  );
}

function rowOf(
  { principal, peer }: Actor,
  { tenant, action, target = '', details = NO_DETAILS }: Act,
  id: string,
) {
  const { name: actor, tenant: actorTenant } = principal;
  return { tenant, id, actor, actorTenant, action, target, peer, details };
}

/** Whether the log of the tenant has the entry. */
export async function hasAuditEntry(em: EntityManager, tenant: string, id: string): Promise<boolean> {
  return (await em.count(AuditEntryEntity, { tenant, id })) > 0;
}

/** The newest entries of the tenant before the one with this id, or the newest of all. */
export async function readAuditEntries(
  em: EntityManager,
  tenant: string,
  beforeId: string | undefined,
  limit: number,
): Promise<AuditEntry[]> {
  const rows = await em.execute<object[]>(
    `SELECT * FROM audit_entry WHERE tenant = :tenant ${beforeId === undefined ? '' : 'AND id < :beforeId::uuid'}
     ORDER BY id DESC LIMIT :limit`,
    { tenant, beforeId, limit },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, AuditEntryEntity, rows);
}

/** Reads over connections that it does not own. */
export function createAuditLogReader(reads: ReadConnections): AuditLogReader {
  return {
    list: (tenant, beforeId, limit) =>
      reads.use(tenant, async (em) => {
        await existingTenant(em, tenant);
        return readAuditEntries(em, tenant, beforeId, limit);
      }),
  };
}
