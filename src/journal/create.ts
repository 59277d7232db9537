/** Makes the journal of a new tenant. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { JournalHead, TenantLock } from './entity.ts';

/** Everything that the journal needs to take the first event of a tenant. The cursors of its readers are their own work. */
export async function createJournal(em: EntityManager, tenant: string): Promise<void> {
  await em.insert(JournalHead, { tenant, lastSequence: 0n });
  await em.insert(TenantLock, { tenant });
}
