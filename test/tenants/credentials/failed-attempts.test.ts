/** Whose failures are counted together, and for how long. */

import { expect, jest, test } from '@jest/globals';

import { addressOf, FailedAttempts } from '../../../src/tenants/credentials/failed-attempts.ts';

test.each([
  ['127.0.0.1:50051', '127.0.0.1'],
  ['::ffff:10.0.0.1:50051', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6:50051', '2001:db8:1:2'],
  ['2001:db8::6:50051', '2001:db8:0:0'],
  ['::1:50051', '0:0:0:0'],
])('failures of %s count for %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});

test('failures are forgotten, one every three seconds', () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(0);
  try {
    const attempts = new FailedAttempts();
    const peer = '10.0.0.1:1';
    for (let i = 0; i < 20; i++) expect(attempts.failed(peer)).toBeUndefined();
    expect([attempts.isSlowed('10.0.0.1:2'), attempts.isSlowed('10.0.0.2:1')]).toEqual([true, false]);
    now.mockReturnValue(3_000);
    expect(attempts.isSlowed(peer)).toBe(false);
    expect(attempts.failed(peer)).toBeUndefined();
    expect(attempts.failed(peer)).toBe(attempts.tooMany);
  } finally {
    now.mockRestore();
  }
});
