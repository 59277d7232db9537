import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseTimestamp } from '../../src/cli/import/timestamp.ts';

const seconds = (text: string): bigint => BigInt(Date.parse(text) / 1000);

test.each([
  ['2023-11-16 18:15:46.6805900', seconds('2023-11-16T18:15:46Z'), 680_590_000],
  ['2023-11-16T18:15:46Z', seconds('2023-11-16T18:15:46Z'), 0],
  ['2023-11-16t18:15:46.123456789z', seconds('2023-11-16T18:15:46Z'), 123_456_789],
  ['2023-11-16T18:15:46.5+05:30', seconds('2023-11-16T12:45:46Z'), 500_000_000],
  ['2023-11-16 18:15:46-0800', seconds('2023-11-17T02:15:46Z'), 0],
  ['2023-11-16 18:15:46 UTC', seconds('2023-11-16T18:15:46Z'), 0],
  ['2023-11-16 18:15', seconds('2023-11-16T18:15:00Z'), 0],
  ['2023-11-16', seconds('2023-11-16T00:00:00Z'), 0],
  ['2024-02-29 00:00:00', seconds('2024-02-29T00:00:00Z'), 0],
  ['1700158546', 1_700_158_546n, 0],
  ['1700158546.25', 1_700_158_546n, 250_000_000],
  ['1700158546123', 1_700_158_546n, 123_000_000],
  ['1700158546123.5', 1_700_158_546n, 123_500_000],
  ['1700158546123456', 1_700_158_546n, 123_456_000],
  ['1700158546123456789', 1_700_158_546n, 123_456_789],
  ['1969-12-31 23:59:59.25', -1n, 250_000_000],
  ['0001-01-01T00:00:00Z', -62_135_596_800n, 0],
])('reads %s', (text, expected, nanos) => {
  expect(parseTimestamp(text)).toEqual({ seconds: expected, nanos });
});

test.each([
  '',
  'yesterday',
  '2023-02-29 00:00:00',
  '2023-13-01',
  '2023-11-16 24:00:00',
  '2023-11-16 18:60:00',
  '2023-11-16 18:15:60',
  '2023-11-16 18:15:46.1234567890',
  '2023-11-16T18:15:46+24:00',
  '0000-01-01',
  '11/16/2023',
  '17001585',
  '17001585461',
  '1.7e9',
  '-1700158546',
  '1700158546123456789.5',
])('refuses %j', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});

test('keeps every instant to the nanosecond', () => {
  const instant = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(instant, fc.integer({ min: 0, max: 999_999_999 }), (date, nanos) => {
      const whole = new Date(Math.floor(date.getTime() / 1000) * 1000).toISOString().slice(0, 19);
      const expected = { seconds: seconds(`${whole}Z`), nanos };
      expect(parseTimestamp(`${whole}.${String(nanos).padStart(9, '0')}Z`)).toEqual(expected);
      expect(parseTimestamp(`${whole.replace('T', ' ')}.${String(nanos).padStart(9, '0')}`)).toEqual(
        expected,
      );
    }),
  );
});
