/** The audit log on a real database. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { forTenant } from '../../../src/database/driver.ts';
import { sqlState } from '../../../src/database/sql-errors.ts';
import { inTransaction } from '../../../src/database/transaction.ts';
import { type Actor, timeOfAuditEntry } from '../../../src/tenants/audit.ts';
import { appendAuditEntry, readAuditEntries } from '../../../src/tenants/store/audit-log.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';

const ACTOR: Actor = {
  principal: { tenant: 'default', name: 'api_key:0123456789abcdef' },
  peer: '127.0.0.1:55001',
};

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

function append(tenant: string, target: string, fail = false): Promise<void> {
  return inTransaction(
    store.database,
    tenant,
    async (transaction) => {
      const details = new Map([['scopes', 'RECORD, READ']]);
      await appendAuditEntry(transaction, ACTOR, { tenant, action: 'an act', target, details });
      if (fail) throw new Error('the act failed');
    },
    () => undefined,
  );
}

function read(tenant: string, beforeId?: string, limit = 10) {
  return readAuditEntries(forTenant(store.database.em, tenant), tenant, beforeId, limit);
}

test('an entry says who did what, when and from where', async () => {
  const before = BigInt(Date.now()) * 1000n;
  await append('acme', 'first');
  const [entry] = await read('acme');
  expect(entry).toMatchObject({
    tenant: 'acme',
    actor: 'api_key:0123456789abcdef',
    actorTenant: 'default',
    action: 'an act',
    target: 'first',
    peer: '127.0.0.1:55001',
    details: new Map([['scopes', 'RECORD, READ']]),
  });
  const time = timeOfAuditEntry(entry ?? { id: '' });
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(BigInt(Date.now()) * 1000n);
});

test('an act that failed has no entry', async () => {
  await expect(append('failing', 'target', true)).rejects.toThrow('the act failed');
  expect(await read('failing')).toEqual([]);
});

test('the newest come first, page by page, and only those of the tenant', async () => {
  for (const target of ['a', 'b', 'c']) await append('paged', target);
  await append('other', 'x');
  const page = await read('paged', undefined, 2);
  expect(page.map(({ target }) => target)).toEqual(['c', 'b']);
  expect((await read('paged', page.at(-1)?.id)).map(({ target }) => target)).toEqual(['a']);
});

test.each([`UPDATE audit_entry SET actor = 'nobody'`, 'DELETE FROM audit_entry', 'TRUNCATE audit_entry'])(
  'nobody changes the log: %s',
  async (statement) => {
    await append('kept', 'target');
    expect(await store.database.pool.query(statement).then(() => 'done', sqlState)).toBe('42501');
  },
);
