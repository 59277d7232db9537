import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { explainTime, parseTimestamp } from '../../src/cli/import/timestamp.ts';

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
  // PostgreSQL, Go, Java, and files with other marks.
  ['2026-09-01 10:00:00+00', seconds('2026-09-01T10:00:00Z'), 0],
  ['2026-09-01 10:00:00.123456+00', seconds('2026-09-01T10:00:00Z'), 123_456_000],
  ['2026-09-01 10:00:00 -0330', seconds('2026-09-01T13:30:00Z'), 0],
  ['2026-09-01 10:00:00 +0000 UTC', seconds('2026-09-01T10:00:00Z'), 0],
  ['2026-09-01 10:00:00 GMT', seconds('2026-09-01T10:00:00Z'), 0],
  ['2026-09-01T10:00:00+02:00[Europe/Berlin]', seconds('2026-09-01T08:00:00Z'), 0],
  ['2026/09/01 10:00:00', seconds('2026-09-01T10:00:00Z'), 0],
  ['2026/09/01', seconds('2026-09-01T00:00:00Z'), 0],
  ['2026.09.01', seconds('2026-09-01T00:00:00Z'), 0],
  ['2026-09-01, 1:05:00 pm', seconds('2026-09-01T13:05:00Z'), 0],
  ['20260901', seconds('2026-09-01T00:00:00Z'), 0],
  ['20260901T100000Z', seconds('2026-09-01T10:00:00Z'), 0],
  ['20260901T100000.5+0200', seconds('2026-09-01T08:00:00Z'), 500_000_000],
  // The month by its name.
  ['Tue, 01 Sep 2026 10:00:00 GMT', seconds('2026-09-01T10:00:00Z'), 0],
  ['1 September 2026 10:00 +0200', seconds('2026-09-01T08:00:00Z'), 0],
  ['01-Sep-2026', seconds('2026-09-01T00:00:00Z'), 0],
  ['01/Sep/2026:10:00:00 +0000', seconds('2026-09-01T10:00:00Z'), 0],
  ['Sep 1, 2026, 10:00:00 AM', seconds('2026-09-01T10:00:00Z'), 0],
  ['Sep 1, 2026, 12:00:00\u202fAM', seconds('2026-09-01T00:00:00Z'), 0],
  ['September 1, 2026 at 12:30 PM', seconds('2026-09-01T12:30:00Z'), 0],
  ['Tue Sep  1 10:00:00 2026', seconds('2026-09-01T10:00:00Z'), 0],
  ['Tue Sep  1 10:00:00 UTC 2026', seconds('2026-09-01T10:00:00Z'), 0],
  ['Tue Sep 01 2026 10:00:00 GMT+0200 (Central European Summer Time)', seconds('2026-09-01T08:00:00Z'), 0],
  ['1.788256800123E12', 1_788_256_800n, 123_000_000],
  ['1.788256800E9', 1_788_256_800n, 0],
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
  'Mon, 01 Sep 2026 10:00:00 GMT',
  'Feb 29, 2023',
  '2026-09-01 13:00 PM',
  '2026-09-01 0:00 AM',
  '2026-09-01 +02:00',
  '2026-09/01',
  '20261301',
  '1.78826E+12',
  '0',
])('refuses %j', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});

test.each([
  ['9/1/2026 10:00', 'could be 2026-09-01 or 2026-01-09'],
  ['01.09.2026', 'could be 2026-01-09 or 2026-09-01'],
  ['13/09/2026', 'write YYYY-MM-DD'],
  ['01/02/26', 'write YYYY-MM-DD'],
  ['46266.4166667', 'day number of a spreadsheet'],
  ['2026-09-01 10:00:00 PST', 'write its offset'],
  ['1.78826E+12', 'may be rounded'],
  ['2026-09', 'not a time'],
  ['yesterday', 'not a time'],
])('names what is wrong with %s', (text, reason) => {
  expect(parseTimestamp(text)).toBeUndefined();
  expect(explainTime(text)).toContain(reason);
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
      const [, day = '', month = '', year = ''] = /, (\d\d) (\w+) (\d{4})/.exec(date.toUTCString()) ?? [];
      expect(parseTimestamp(date.toUTCString())).toEqual({ ...expected, nanos: 0 });
      expect(parseTimestamp(`${month} ${day}, ${year} ${whole.slice(11)}`)).toEqual({
        ...expected,
        nanos: 0,
      });
    }),
  );
});
