/** What a process knows of API keys, and for how long. */

import { describe, expect, jest, test } from '@jest/globals';

import type { KnownKey } from '../../../src/tenants/credentials/api-keys.ts';
import { FreshRows } from '../../../src/tenants/credentials/fresh-rows.ts';

describe('what is known of keys', () => {
  const row = {} as KnownKey;
  const isPromise = (value: unknown): boolean => value instanceof Promise;

  test('is looked up in one query for all who ask meanwhile, whether there is such a key or not', async () => {
    const queries: (readonly string[])[] = [];
    const release = Promise.withResolvers<void>();
    const rows = new FreshRows<KnownKey>(async (ids) => {
      queries.push(ids);
      await release.promise;
      return new Map([['known', row]]);
    });
    const asked = ['known', 'known', 'unknown', 'other', 'unknown'].map((id) =>
      Promise.resolve(rows.get(id)),
    );
    release.resolve();
    const found = await Promise.all(asked);
    expect(found.map((fresh) => fresh.row)).toEqual([row, row, undefined, undefined, undefined]);
    expect(queries).toEqual([['known'], ['unknown', 'other']]);
    expect(['known', 'unknown'].map((id) => isPromise(rows.get(id)))).toEqual([false, false]);
  });

  test('counts for five seconds, and for a minute while PostgreSQL is away', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    try {
      let isAway = false;
      const rows = new FreshRows<KnownKey>((ids) =>
        isAway ? Promise.reject(new Error('away')) : Promise.resolve(new Map(ids.map((id) => [id, row]))),
      );
      await rows.get('key');
      now.mockReturnValue(4_999);
      expect(isPromise(rows.get('key'))).toBe(false);
      now.mockReturnValue(5_000);
      isAway = true;
      const stale = rows.get('key');
      expect(isPromise(stale)).toBe(true);
      expect((await stale).row).toBe(row);
      now.mockReturnValue(59_999);
      expect(isPromise(rows.get('key'))).toBe(false);
      now.mockReturnValue(60_000);
      await expect(rows.get('key')).rejects.toThrow('away');
      isAway = false;
      expect((await rows.get('key')).row).toBe(row);
    } finally {
      now.mockRestore();
    }
  });

  test('is limited in number, and invented ids displace no key', async () => {
    const rows = new FreshRows<KnownKey>((ids) =>
      Promise.resolve(new Map(ids.filter((id) => id.startsWith('key')).map((id) => [id, row]))),
    );
    await rows.get('key');
    await Promise.all(
      Array.from({ length: 20_000 }, (_, index) => Promise.resolve(rows.get(`invented-${index}`))),
    );
    expect(rows.has('key')).toBe(true);
    await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => Promise.resolve(rows.get(`key-${index}`))),
    );
    expect(rows.has('key')).toBe(false);
  });
});
