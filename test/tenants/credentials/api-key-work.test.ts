/** Whether a key exists cannot be told from the work that its check takes. */

import * as crypto from 'node:crypto';

import { expect, jest, test } from '@jest/globals';

const work: string[] = [];
const counted = <Name extends 'hash' | 'timingSafeEqual'>(name: Name) =>
  ((...args: unknown[]) => {
    work.push(`${name} of ${String((args[0] as { length: number }).length)}`);
    return (crypto[name] as (...args: unknown[]) => unknown)(...args);
  }) as (typeof crypto)[Name];

jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  hash: counted('hash'),
  timingSafeEqual: counted('timingSafeEqual'),
}));
const { principalOfKey } = await import('../../../src/tenants/credentials/api-keys.ts');
const { hashOfSecret, newApiKey } = await import('../../../src/tenants/api-key.ts');

test('an unknown id, a wrong secret, a revoked key and a right one take the same', () => {
  const { secret } = newApiKey();
  const key = {
    secretHash: hashOfSecret(secret),
    principal: {
      tenant: 'acme',
      name: 'api_key:1',
      scopes: new Set(['READ'] as const),
      userProfile: undefined,
    },
    isRevoked: false,
    expiresAtMs: Infinity,
    lastUseMs: -Infinity,
  };
  const workOf = (...args: Parameters<typeof principalOfKey>): readonly string[] => {
    work.length = 0;
    principalOfKey(...args);
    return [...work];
  };
  const right = workOf(key, secret);
  expect(right).toEqual(['hash of 6', 'timingSafeEqual of 32']);
  expect(workOf(undefined, secret)).toEqual(right);
  expect(workOf(key, newApiKey().secret)).toEqual(right);
  expect(workOf({ ...key, isRevoked: true }, secret)).toEqual(right);
  expect(principalOfKey(key, secret)).toBe(key.principal);
});
