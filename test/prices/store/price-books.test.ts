/** Price versions in the memory of a process. */

import type { EntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

import { PriceBooks, PriceWriter } from '../../../src/prices/index.ts';
import { openTestStore, PRICE_CALL, type TestStore } from '../../support/store.ts';
import { KEY, byRates } from '../support/prices.ts';

let store: TestStore;
let writer: PriceWriter;
let tenant: string;
let nth = 0;
beforeAll(async () => {
  store = await openTestStore();
  const options = { retryForMs: 5_000, retryAfterMs: 100 };
  writer = new PriceWriter(store.database, new PriceBooks(store.database.em, () => undefined), options);
});
afterAll(() => store.close());
beforeEach(async () => {
  tenant = `tenant-${++nth}`;
  await store.owner.em.execute('INSERT INTO tenant_lock VALUES (?)', [tenant]);
  await store.owner.em.execute('INSERT INTO journal_head VALUES (?, 0, 0)', [tenant]);
});

const add = (id: string) =>
  writer.add(
    tenant,
    [
      {
        requestId: id,
        allowPast: false,
        content: {
          key: { ...KEY, model: id },
          basis: byRates({ 1: 1n }),
          effectiveTimeMicros: undefined,
          source: '',
          note: '',
        },
      },
    ],
    PRICE_CALL,
  );

/** Books that tell of each load; `gate`: what every load waits for before it reads. */
function openBooks(gate: () => Promise<unknown> = () => Promise.resolve()) {
  const loads: number[] = [];
  let started = 0;
  const gated = (em: EntityManager): EntityManager =>
    new Proxy(em, {
      get(target, name) {
        if (name === 'fork')
          return (...options: Parameters<EntityManager['fork']>) => gated(target.fork(...options));
        const member: unknown = Reflect.get(target, name);
        if (name !== 'execute')
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        return async (...args: Parameters<EntityManager['execute']>) => {
          started++;
          await gate();
          return target.execute(...args);
        };
      },
    });
  const books = new PriceBooks(gated(store.database.em), (_, version) => loads.push(version));
  return { books, loads, started: () => started };
}

test('the versions of the tenants that were not asked about for longest are dropped, and loaded again', async () => {
  const loads: string[] = [];
  const books = new PriceBooks(store.database.em, (name) => loads.push(name), 3);
  const get = async (name: string): Promise<number> => {
    const { version } = await books.get(name);
    // The rest of a load runs after its callers.
    await Promise.resolve();
    return version;
  };
  const [first, second, third] = [`${tenant}-1`, `${tenant}-2`, `${tenant}-3`];
  for (const name of [first, second, third]) {
    tenant = name;
    await store.owner.em.execute('INSERT INTO tenant_lock VALUES (?)', [name]);
    await store.owner.em.execute('INSERT INTO journal_head VALUES (?, 0, 0)', [name]);
    await add('a');
  }
  for (const name of [first, second, third, first]) expect(await get(name)).toBe(1);
  expect(loads).toEqual([first, second, third]);
  tenant = third;
  await add('b');
  await books.reload(third);
  // `second` was asked about before `first`.
  expect(await get(first)).toBe(1);
  expect(await get(third)).toBe(2);
  expect(loads).toEqual([first, second, third, third]);
  expect(await get(second)).toBe(1);
  expect(loads).toEqual([first, second, third, third, second]);
});

test('they are loaded once, however many callers wait', async () => {
  await add('a');
  const { books, loads } = openBooks();
  const found = await Promise.all(Array.from({ length: 10 }, () => books.get(tenant)));

  expect(new Set(found).size).toBe(1);
  expect((await books.get(tenant)).version).toBe(1);
  expect(loads).toEqual([1]);
});

test('a reload adds what is new to what every caller has', async () => {
  await add('a');
  const { books, loads } = openBooks();
  const before = await books.get(tenant);
  await add('b');

  expect((await books.get(tenant)).version).toBe(1);
  expect(await books.reload(tenant)).toBe(before);
  expect(before.version).toBe(2);
  expect(before.get(2)?.key.model).toBe('b');
  expect(loads).toEqual([1, 2]);
});

test('reloads share the load after the one in progress, which may have read too early', async () => {
  const gates: (() => void)[] = [];
  const { books, loads, started } = openBooks(() => new Promise<void>((open) => gates.push(open)));
  const first = books.reload(tenant);
  const others = [books.reload(tenant), books.reload(tenant), books.reload(tenant)];
  expect(started()).toBe(1);
  gates[0]!();
  await first;
  await add('a');
  // Those who asked while the first load was in progress wait for the second.
  while (gates.length < 2) await new Promise(setImmediate);
  gates[1]!();

  expect((await Promise.all(others)).map(({ version }) => version)).toEqual([1, 1, 1]);
  expect(loads).toEqual([0, 1]);
});

test('a version that is known already costs no load', async () => {
  await add('a');
  const { books, loads } = openBooks();
  await books.get(tenant);
  expect((await books.including(tenant, 1)).version).toBe(1);
  expect(loads).toEqual([1]);
  await add('b');
  expect((await books.including(tenant, 2)).version).toBe(2);
  expect((await books.including(tenant, 3)).version).toBe(2);
  expect(loads).toEqual([1, 2, 2]);
});

test('a load that fails is tried again by the next caller', async () => {
  await add('a');
  let fails = true;
  const { books } = openBooks(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve()));
  await expect(Promise.all([books.get(tenant), books.get(tenant)])).rejects.toThrow('away');
  const [, last] = await Promise.allSettled([books.reload(tenant), books.reload(tenant)]);
  expect(last).toMatchObject({ status: 'rejected' });
  fails = false;

  expect((await books.get(tenant)).version).toBe(1);
});

test('tenants are apart', async () => {
  await add('a');
  const { books } = openBooks();

  expect((await books.get('another')).version).toBe(0);
  expect((await books.get(tenant)).version).toBe(1);
});
