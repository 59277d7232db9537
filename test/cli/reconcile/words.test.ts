import { expect, test } from '@jest/globals';

import {
  FindingKind,
  ReconcileFinding,
  ReconcileSummary,
} from '../../../generated/charge/v1/usage_service.ts';
import { adviceOn, nameOfKind, numberText, subjectOf } from '../../../src/cli/reconcile/words.ts';

const kinds = Object.values(FindingKind).filter((kind) => kind > 0);

test('every kind has a name and says what to do', () => {
  for (const kind of kinds) expect(nameOfKind(kind)).not.toContain('finding ');
  const counts = kinds.map((kind) => ({ kind, found: 2n, repaired: 0n }));
  for (const text of adviceOn(ReconcileSummary.fromPartial({ counts }))) expect(text).toMatch(/\. .+\.$/);
});

test('what is repaired needs no advice', () => {
  const kind = FindingKind.FINDING_KIND_SUM_DIFFERS;
  const counts = [{ kind, found: 2_000n, repaired: 2_000n }];
  expect(adviceOn(ReconcileSummary.fromPartial({ counts }))).toEqual([
    '2,000 × sums differ from charges, all repaired.',
  ]);
});

test('a finding says what it is about', () => {
  const sum = ReconcileFinding.fromPartial({
    sumName: 'cost_nanos',
    sumLevel: 3,
    currencyCode: 'USD',
    rows: 2n,
    userProfile: 'alice',
    model: 'gpt-4o',
  });
  expect(subjectOf(sum)).toBe('cost in USD by day of a user, 2 sums, such as alice gpt-4o');
  expect(numberText(sum, '1500000000')).toBe('1.50 USD');
  const events = ReconcileFinding.fromPartial({ firstSequence: 4n, lastSequence: 6_000n, detail: 'why' });
  expect(subjectOf(events)).toBe('events 4 to 6,000, why');
  expect(numberText(events, '1234567')).toBe('1,234,567');
});
