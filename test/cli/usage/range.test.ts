/** Which time `--last`, `--from` and `--to` mean. */

import { describe, expect, test } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';
import { readUsageRange, type RangeFlags } from '../../../src/cli/usage/range.ts';
import type { WindowName } from '../../../src/cli/usage/windows.ts';
import { machineZone, readZone, zonedText } from '../../../src/cli/usage/zone.ts';

const BERLIN = 'Europe/Berlin';

/** The range as text, and the faults. */
function read(flags: RangeFlags, window?: WindowName, zone = BERLIN, now = '2026-11-27T10:20:30') {
  const faults: string[] = [];
  const moment = Temporal.PlainDateTime.from(now).toZonedDateTime(zone);
  const { from, to } = readUsageRange(flags, window, zone, faults, moment);
  return { from: from && zonedText(from, zone), to: to && zonedText(to, zone), faults };
}

describe('--last', () => {
  test.each([
    ['nothing', {}, undefined, '2026-10-29T00:00:00+01:00', '2026-11-28T00:00:00+01:00'],
    ['30d', { last: '30d' }, 'day', '2026-10-29T00:00:00+01:00', '2026-11-28T00:00:00+01:00'],
    ['24h', { last: '24h' }, 'hour', '2026-11-26T11:00:00+01:00', '2026-11-27T11:00:00+01:00'],
    ['12h', { last: '12h' }, undefined, '2026-11-26T23:00:00+01:00', '2026-11-27T11:00:00+01:00'],
    ['1h', { last: '1h' }, '15m', '2026-11-27T09:30:00+01:00', '2026-11-27T10:30:00+01:00'],
    // From Monday to the end of this week.
    ['30d by week', { last: '30d' }, 'week', '2026-10-26T00:00:00+01:00', '2026-11-30T00:00:00+01:00'],
    ['3mo by month', { last: '3mo' }, 'month', '2026-09-01T00:00:00+02:00', '2026-12-01T00:00:00+01:00'],
    ['1mo by day', { last: '1mo' }, 'day', '2026-10-28T00:00:00+01:00', '2026-11-28T00:00:00+01:00'],
    ['2w', { last: '2w' }, undefined, '2026-11-14T00:00:00+01:00', '2026-11-28T00:00:00+01:00'],
  ] as const)('%s', (_name, flags, window, from, to) => {
    expect(read(flags, window)).toEqual({ from, to, faults: [] });
  });

  test('days with a change of the clocks are whole days', () => {
    expect(read({ last: '2d' }, 'day', BERLIN, '2026-10-25T12:00:00')).toMatchObject({
      from: '2026-10-24T00:00:00+02:00',
      to: '2026-10-26T00:00:00+01:00',
    });
    // A day whose clocks go from 23:59:59 to 01:00.
    expect(read({ last: '1d' }, 'day', 'America/Sao_Paulo', '2018-11-04T12:00:00')).toMatchObject({
      from: '2018-11-04T01:00:00-02:00',
      to: '2018-11-05T00:00:00-02:00',
    });
  });

  test('windows follow zones with offsets of half and quarter hours', () => {
    expect(read({ last: '2h' }, 'hour', 'Asia/Kathmandu')).toMatchObject({
      from: '2026-11-27T09:00:00+05:45',
      to: '2026-11-27T11:00:00+05:45',
    });
  });

  test.each(['30', '0d', '-3d', '3m', '30 d', 'd', '999999d', ''])('%j is refused', (last) => {
    const { faults } = read({ last });
    expect(faults).toEqual([expect.stringMatching(/^--last: .* is not a time such as 12h, 30d, 8w or 3mo$/)]);
  });
});

describe('--from and --to', () => {
  test('without an offset they are of the zone', () => {
    expect(read({ from: '2026-07-01', to: '2026-08-01 12:30' })).toEqual({
      from: '2026-07-01T00:00:00+02:00',
      to: '2026-08-01T12:30:00+02:00',
      faults: [],
    });
    expect(read({ from: '20260701', to: 'Sep 1, 2026' })).toMatchObject({
      from: '2026-07-01T00:00:00+02:00',
      to: '2026-09-01T00:00:00+02:00',
    });
  });

  test('with an offset, and as Unix times, they are that moment', () => {
    expect(read({ from: '2026-07-01T00:00:00Z', to: '2026-08-01T00:00:00-05:00' })).toMatchObject({
      from: '2026-07-01T02:00:00+02:00',
      to: '2026-08-01T07:00:00+02:00',
    });
    expect(read({ from: '1782864000' })).toMatchObject({ from: '2026-07-01T02:00:00+02:00' });
  });

  test('one bound may be open, but windows need a beginning', () => {
    expect(read({ from: '2026-07-01' })).toMatchObject({ to: undefined, faults: [] });
    expect(read({ to: '2026-07-01' })).toMatchObject({ from: undefined, faults: [] });
    expect(read({ from: '2026-07-01' }, 'week')).toMatchObject({
      to: '2026-11-30T00:00:00+01:00',
      faults: [],
    });
    expect(read({ to: '2026-07-01' }, 'day').faults).toEqual([
      '--window needs a beginning: give --from or --last',
    ]);
    expect(read({ from: '2027-07-01' }, 'day').faults).toEqual(['--from is in the future: give --to']);
  });

  test('every fault is named', () => {
    expect(read({ last: '3x', from: '2026-02-01', to: '01/02/2026' }).faults).toHaveLength(2);
    expect(read({ from: '2026-02-01', to: '2026-01-01' }).faults).toEqual(['--from must be before --to']);
    expect(read({ from: 'yesterday' }).faults).toEqual([expect.stringContaining('--from: "yesterday"')]);
  });
});

test('a zone has an IANA name; without one it is that of the machine', () => {
  const faults: string[] = [];
  expect(readZone('europe/berlin', faults)).toBe(BERLIN);
  expect(readZone(undefined, faults)).toBe(machineZone());
  expect(faults).toEqual([]);
  for (const name of ['Berlin', '+02:00', '', 'Mars/Base']) readZone(name, faults);
  expect(faults).toHaveLength(4);
  expect(faults[0]).toBe(
    '--zone: "Berlin" is not the IANA name of a time zone, such as Europe/Berlin or UTC',
  );
});
