/** The parts of an answer: together they are the range, each is where its kept sums are, and charges are only the rest. */

import assert from 'node:assert/strict';

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { planUsage, ROLLUP_LEVEL, type UsagePlan } from '../../src/usage/plan.ts';
import { DIMENSION, type UsageQuery, WINDOW } from '../../src/usage/usage.ts';
import { DAY_MICROS, floorTo, QUARTER_HOUR_MICROS, windowBounds } from '../../src/usage/windows.ts';

const QUERY: UsageQuery = {
  filter: {},
  groupBy: [],
  groupByLabels: [],
  groupByUserProfileLabels: [],
  window: WINDOW.none,
  timeZone: 'UTC',
  orderBy: 1,
  currencyCode: '',
  fill: false,
  readMask: [],
  asOfSequence: undefined,
};

const UNITS: Readonly<Record<number, bigint>> = {
  [ROLLUP_LEVEL.quarterHour]: QUARTER_HOUR_MICROS,
  [ROLLUP_LEVEL.day]: DAY_MICROS,
  [ROLLUP_LEVEL.userDay]: DAY_MICROS,
};

/** All parts in the order of time. */
function partsOf({ sums, charges }: UsagePlan) {
  return [...sums, ...charges.map((range) => ({ ...range, level: 0 }))].sort((a, b) =>
    Number((a.startMicros ?? -(10n ** 20n)) - (b.startMicros ?? -(10n ** 20n))),
  );
}

const byUser = fc.constantFrom<Partial<UsageQuery>>(
  { groupBy: [DIMENSION.userProfile] },
  { filter: { userProfile: 'alice' } },
);
const byOthers = fc.constantFrom<Partial<UsageQuery>>(
  {},
  { groupBy: [DIMENSION.model, DIMENSION.provider, DIMENSION.region] },
  { filter: { model: 'm', provider: 1, chargeType: 1 } },
);
// Some at the start of a day or of a quarter of an hour; also before 1970.
const moment = fc
  .tuple(
    fc.bigInt(-2n, 2_000n),
    fc.constantFrom(0n, 1n, -1n, QUARTER_HOUR_MICROS, 7n * QUARTER_HOUR_MICROS, 12_345n),
  )
  .map(([days, rest]) => days * DAY_MICROS + rest);
const range = fc
  .tuple(
    moment,
    fc.oneof(
      fc.bigInt(1n, 100n).map((days) => days * DAY_MICROS),
      fc.bigInt(1n, 40n * DAY_MICROS),
    ),
  )
  .map(([start, length]) => [start, start + length] as const);
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Chatham', 'America/St_Johns');

function expectPlan(query: UsageQuery, bounds: readonly bigint[] | undefined, usesDaysOnly: boolean): void {
  const { startTimeMicros, endTimeMicros } = query.filter;
  const plan = planUsage(query, bounds);
  const parts = partsOf(plan);
  const movesCharges = usesDaysOnly && query.window >= WINDOW.day;
  if (movesCharges) expectMoved(plan, bounds ?? []);
  else expect(plan.moved).toEqual([]);
  expect([parts.at(0)?.startMicros, parts.at(-1)?.endMicros]).toEqual([startTimeMicros, endTimeMicros]);
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1];
    if (next !== undefined) assert.equal(part.endMicros, next.startMicros);
    // Two of one kind are one.
    assert.notEqual(part.level, next?.level);
    const { startMicros: start, endMicros: end } = part;
    const inside = (movesCharges ? [] : (bounds ?? [])).filter(
      (bound) => (start === undefined || bound > start) && (end === undefined || bound < end),
    );
    expectPart(part, inside, usesDaysOnly);
  }
}

/** Exactly those charges are moved whose window is not that of the noon of their day. */
function expectMoved({ sums, moved }: UsagePlan, bounds: readonly bigint[]): void {
  const windowOf = (micros: bigint) => bounds.findLastIndex((bound) => bound <= micros);
  const days = sums.flatMap(({ startMicros = 0n, endMicros = 0n }) =>
    Array.from(
      { length: Number((endMicros - startMicros) / DAY_MICROS) },
      (_, day) => startMicros + BigInt(day) * DAY_MICROS,
    ),
  );
  const ends = moved.flatMap(({ startMicros = 0n, endMicros = 0n }) => [startMicros, endMicros]);
  for (const day of days) {
    const inDay = [...bounds, ...ends].filter((at) => at > day && at < day + DAY_MICROS);
    for (const at of [day, ...inDay, ...inDay.map((end) => end - 1n), day + DAY_MICROS - 1n]) {
      const isMoved = moved.filter(
        ({ startMicros = 0n, endMicros = 0n }) => startMicros <= at && at < endMicros,
      );
      assert.equal(isMoved.length, windowOf(at) === windowOf(day + DAY_MICROS / 2n) ? 0 : 1);
    }
  }
  assert.ok(
    moved.every(({ startMicros = 0n, endMicros = 0n }) => endMicros - startMicros <= DAY_MICROS / 2n),
  );
}

/** `inside`: the bounds of windows in the part. */
function expectPart(
  { level, startMicros, endMicros }: ReturnType<typeof partsOf>[number],
  inside: readonly bigint[],
  usesDaysOnly: boolean,
): void {
  const ends = [startMicros, ...inside, endMicros].filter((end) => end !== undefined);
  const unit = UNITS[level];
  if (unit !== undefined) {
    const levels = usesDaysOnly ? [ROLLUP_LEVEL.userDay] : [ROLLUP_LEVEL.day, ROLLUP_LEVEL.quarterHour];
    expect(levels).toContain(level);
    // So a kept sum belongs to one window.
    for (const end of ends) assert.equal(end % unit, 0n);
  }
  if (unit === DAY_MICROS) return;
  // Between two ends, there is no place for a longer sum.
  const longer = unit === undefined && !usesDaysOnly ? QUARTER_HOUR_MICROS : DAY_MICROS;
  for (const [index, start] of ends.slice(0, -1).entries()) {
    const ceiling = -floorTo(-start, longer);
    assert.ok(ceiling + longer > (ends[index + 1] ?? ceiling));
  }
}

test('the parts tile the range, sums start and end where they are kept, and nothing finer is read than needed', () => {
  fc.assert(
    fc.property(
      fc.oneof(byUser, byOthers),
      range,
      zone,
      fc.constantFrom(WINDOW.none, WINDOW.hour, WINDOW.day, WINDOW.week, WINDOW.month),
      (part, [startTimeMicros, endTimeMicros], timeZone, window) => {
        const filter = { ...part.filter, startTimeMicros, endTimeMicros };
        const query = { ...QUERY, ...part, filter, window, timeZone };
        const bounds =
          window === WINDOW.none ? undefined : windowBounds(window, timeZone, startTimeMicros, endTimeMicros);
        if (window !== WINDOW.none && bounds === undefined) return;
        const usesDaysOnly =
          filter.userProfile !== undefined || query.groupBy.includes(DIMENSION.userProfile);
        expectPlan(query, bounds, usesDaysOnly);
      },
    ),
    { numRuns: 100 },
  );
});

test('a range without a start, an end or both is covered to the last charge', () => {
  fc.assert(
    fc.property(fc.oneof(byUser, byOthers), fc.option(moment), fc.boolean(), (part, at, isStart) => {
      const ends = at === null ? {} : isStart ? { startTimeMicros: at } : { endTimeMicros: at };
      const query = { ...QUERY, ...part, filter: { ...part.filter, ...ends } };
      const usesDaysOnly =
        query.filter.userProfile !== undefined || query.groupBy.includes(DIMENSION.userProfile);
      expectPlan(query, undefined, usesDaysOnly);
    }),
  );
});

test.each<[string, Partial<UsageQuery>]>([
  ['a group by session', { groupBy: [DIMENSION.model, DIMENSION.sessionKey] }],
  ['a group by reference', { groupBy: [DIMENSION.reference] }],
  ['a group by a label', { groupByLabels: ['team'] }],
  ['a session', { filter: { sessionKey: 's' } }],
  ['a reference', { filter: { reference: 'r' } }],
  ['an import', { filter: { importId: '01a5b8e2-8d6f-7cc3-98c4-dc0c0c07398f' } }],
  ['labels', { filter: { labels: new Map([['team', '']]) } }],
])('%s reads charges: no kept sum knows it', (_, part) => {
  const startTimeMicros = 0n;
  const endTimeMicros = 10n * DAY_MICROS;
  const query = { ...QUERY, ...part, filter: { ...part.filter, startTimeMicros, endTimeMicros } };
  expect(planUsage(query, undefined)).toEqual({
    sums: [],
    charges: [{ startMicros: startTimeMicros, endMicros: endTimeMicros }],
    moved: [],
  });
});
