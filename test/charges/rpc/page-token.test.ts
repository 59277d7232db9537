/** Page tokens: bound to their list, and broken by any change. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { pageTokenInvalid, ServiceError } from '../../../src/errors/failure.ts';
import { decodePageToken, encodePageToken, type PageScope } from '../../../src/charges/rpc/page-token.ts';

/** The years 1 to 9999, in microseconds. */
const TIME_MIN = -62_135_596_800_000_000n;
const TIME_MAX = 253_402_300_799_999_999n;
const position = fc.record({
  usageTimeMicros: fc.bigInt(TIME_MIN, TIME_MAX),
  id: fc.uuid(),
});
const list: fc.Arbitrary<PageScope> = fc.record({
  tenant: fc.string(),
  options: fc.tuple(fc.constantFrom('ListCharges', 'RepriceCharges'), fc.boolean()),
  filter: fc.record(
    {
      userProfile: fc.string(),
      sessionKey: fc.string(),
      provider: fc.nat(100),
      chargeType: fc.nat(3),
      model: fc.string(),
      reference: fc.string(),
      labels: fc.array(fc.tuple(fc.string(), fc.string())).map((entries) => new Map(entries)),
      startTimeMicros: fc.bigInt(),
      endTimeMicros: fc.bigInt(),
    },
    { requiredKeys: [] },
  ),
});

const LIST: PageScope = { tenant: 't', options: ['ListCharges'], filter: {} };

const refused = (tokenOf: PageScope, token: string): void => {
  let error: unknown;
  try {
    decodePageToken(tokenOf, token);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ServiceError);
  expect((error as ServiceError).failure).toEqual(pageTokenInvalid());
};

test('a token of a list names its place there', () => {
  fc.assert(
    fc.property(list, position, (of, at) => {
      const token = encodePageToken(of, at);
      expect(token).toMatch(/^[\w-]{60}$/);
      expect(decodePageToken(of, token)).toEqual(at);
    }),
  );
});

test('any changed character breaks a token', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é';
  fc.assert(
    fc.property(list, position, fc.nat(59), fc.constantFrom(...alphabet), (of, at, index, character) => {
      const token = encodePageToken(of, at);
      fc.pre(token[index] !== character);
      refused(of, token.slice(0, index) + character + token.slice(index + 1));
    }),
  );
});

test.each(['', '=', 'A', 'x'.repeat(1024), '€'])('%j is no token', (token) => {
  refused(LIST, token);
});

test('a token with a time that no charge can have is broken', () => {
  const id = '0190a0e0-0000-7000-8000-000000000001';
  const int64 = [-(2n ** 63n), 2n ** 63n - 1n] as const;
  const times = fc.oneof(fc.bigInt(int64[0], TIME_MIN - 1n), fc.bigInt(TIME_MAX + 1n, int64[1]));
  fc.assert(
    fc.property(list, times, (of, usageTimeMicros) => {
      refused(of, encodePageToken(of, { usageTimeMicros, id }));
    }),
    {
      examples: [...int64, TIME_MIN - 1n, TIME_MAX + 1n].map((time) => [LIST, time]),
    },
  );
  for (const usageTimeMicros of [TIME_MIN, TIME_MAX]) {
    expect(decodePageToken(LIST, encodePageToken(LIST, { usageTimeMicros, id }))).toEqual({
      usageTimeMicros,
      id,
    });
  }
});

test('a longer or shorter token is broken', () => {
  fc.assert(
    fc.property(list, position, (of, at) => {
      const token = encodePageToken(of, at);
      for (const other of [token.slice(1), token.slice(0, -1), `${token}A`, `${token}=`, ` ${token}`]) {
        refused(of, other);
      }
    }),
  );
});

test('a token does not fit another filter, method, option or tenant', () => {
  fc.assert(
    fc.property(list, list, position, (of, other, at) => {
      fc.pre(!sameList(of, other));
      refused(other, encodePageToken(of, at));
    }),
  );
  const of: PageScope = {
    tenant: 't',
    options: ['ListCharges'],
    filter: { userProfile: 'ab', sessionKey: '' },
  };
  const token = encodePageToken(of, { usageTimeMicros: 1n, id: '0190a0e0-0000-7000-8000-000000000001' });
  refused({ ...of, tenant: 'u' }, token);
  refused({ ...of, options: ['RepriceCharges'] }, token);
  refused({ ...of, options: ['ListCharges', true] }, token);
  refused({ ...of, filter: { userProfile: 'a', sessionKey: 'b' } }, token);
  refused({ ...of, filter: { ...of.filter, startTimeMicros: 0n } }, token);
});

test('the order of the labels of a filter does not matter', () => {
  const of = (labels: Map<string, string>): PageScope => ({
    tenant: 't',
    options: ['ListCharges'],
    filter: { labels },
  });
  const at = { usageTimeMicros: 1n, id: '0190a0e0-0000-7000-8000-000000000001' };
  const token = encodePageToken(
    of(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    ),
    at,
  );
  expect(
    decodePageToken(
      of(
        new Map([
          ['b', '2'],
          ['a', '1'],
        ]),
      ),
      token,
    ),
  ).toEqual(at);
  refused(
    of(
      new Map([
        ['a', '2'],
        ['b', '1'],
      ]),
    ),
    token,
  );
});

/** Empty members do not restrict, so a list without them is the same list. */
function sameList(a: PageScope, b: PageScope): boolean {
  const plain = ({ tenant, options, filter }: PageScope) => {
    const labels = [...(filter.labels ?? [])].sort();
    const profileLabels = [...(filter.userProfileLabels ?? [])].sort();
    const members = Object.entries({ ...filter, labels: undefined, userProfileLabels: undefined })
      .filter(([key, value]) => value !== undefined && (key.endsWith('Micros') || Boolean(value)))
      .map(([key, value]) => `${key}=${String(value)}`)
      .sort();
    return JSON.stringify([tenant, options, members, labels, profileLabels]);
  };
  return plain(a) === plain(b);
}
