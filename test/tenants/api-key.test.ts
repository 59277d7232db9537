/** The form of API keys. */

import { expect, test } from '@jest/globals';

import { formatApiKey, hashOfSecret, newApiKey, parseApiKey } from '../../src/tenants/api-key.ts';

test('a key is read as it was written, and no two are alike', () => {
  const key = newApiKey();
  expect(parseApiKey(formatApiKey(key))).toEqual(key);
  expect(formatApiKey(key)).toMatch(/^chg_[0-9a-f]{16}_[0-9a-f]{64}$/);
  expect(newApiKey().secret).not.toBe(key.secret);
});

test.each([
  '',
  'chg_',
  'chg_abc_def',
  `chg_${'a'.repeat(16)}_${'A'.repeat(64)}`,
  ` ${formatApiKey(newApiKey())}`,
])('no key: %j', (text) => {
  expect(parseApiKey(text)).toBeUndefined();
});

test('what is stored is SHA-256 of the secret', () => {
  expect(hashOfSecret('abc').toString('hex')).toMatch(/^ba7816bf8f01cfea/);
});
