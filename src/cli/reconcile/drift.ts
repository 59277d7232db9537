/** The table of what does not agree: a row for each tenant, day and kind of finding. */

import { FindingKind, type ReconcileFinding } from '../../../generated/charge/v1/usage_service.ts';
import { group } from '../progress.ts';
import { comparisonOf, dayText, nameOfKind, numberText, subjectOf } from './words.ts';

export const TITLES = ['TENANT', 'DAY', 'COMPARED', 'EXPECTED', 'FOUND', 'DIFFERENCE', 'REPAIRED', 'WHAT'];

/** The rows of the table, those without a day first. --json has every finding. */
export function driftRows(findings: readonly ReconcileFinding[]): string[][] {
  const byRow = Map.groupBy(findings, (finding) => {
    // Without a day, numbers of the journal or the stream say where it is.
    const place = dayText(finding.day) || `${finding.firstSequence} ${finding.firstStreamSequence}`;
    return JSON.stringify([finding.tenant, place, finding.kind]);
  });
  const rows = [...byRow.values()].map(rowOf);
  return rows.sort((a, b) => (a.slice(0, 2).join(' ') < b.slice(0, 2).join(' ') ? -1 : 1));
}

function rowOf(findings: readonly ReconcileFinding[]): string[] {
  const first = mostTelling(findings);
  const others = findings.length - 1;
  const repaired = findings.filter((finding) => finding.repaired).length;
  const more = others === 0 ? '' : `; and ${group(others)} more, which --json lists`;
  return [
    first.tenant,
    dayText(first.day),
    comparisonOf(first.check),
    ...numbersOf(first, findings.length),
    repaired === 0
      ? 'no'
      : repaired === findings.length
        ? 'yes'
        : `${group(repaired)} of ${group(findings.length)}`,
    `${nameOfKind(first.kind)}: ${subjectOf(first)}${more}`,
  ];
}

/** People know their charges and costs better than sums of cached tokens. */
const TELLING = ['charges', 'cost_nanos', 'total_tokens'];

function mostTelling(findings: readonly ReconcileFinding[]): ReconcileFinding {
  const byName = TELLING.map((name) =>
    findings.find(({ sumName, expected, found }) => sumName === name && expected !== found),
  );
  const [first] = [...byName, ...findings].filter((finding) => finding !== undefined);
  if (first === undefined) throw new TypeError('a row without a finding');
  return first;
}

/** Kinds that say that something is not there. */
const MISSING: ReadonlySet<number> = new Set([
  FindingKind.FINDING_KIND_JOURNAL_NUMBERS_MISSING,
  FindingKind.FINDING_KIND_EVENT_WITHOUT_ROW,
  FindingKind.FINDING_KIND_CHARGE_WITHOUT_EVENT,
  FindingKind.FINDING_KIND_CORRECTION_WITHOUT_EVENT,
  FindingKind.FINDING_KIND_COST_REVISION_WITHOUT_EVENT,
  FindingKind.FINDING_KIND_STREAM_EVENTS_MISSING,
]);

/** Expected, found, and the difference; each may be empty. */
function numbersOf(finding: ReconcileFinding, findings: number): string[] {
  const { expected, found, kind } = finding;
  if (MISSING.has(kind) && expected === '') {
    const count = finding.lastSequence - finding.firstSequence + 1n;
    const missing = findings > 1 ? BigInt(findings) : count;
    return [group(missing), '0', `-${group(missing)}`];
  }
  if (kind === FindingKind.FINDING_KIND_STREAM_MESSAGES_FOREIGN) {
    const count = finding.lastStreamSequence - finding.firstStreamSequence + 1n;
    return ['0', group(count), `+${group(count)}`];
  }
  const isNumber = [expected, found].every((text) => /^-?\d+$/.test(text));
  const difference = isNumber ? BigInt(found) - BigInt(expected) : 0n;
  const sign = difference > 0n ? '+' : '';
  return [
    numberText(finding, expected),
    numberText(finding, found),
    isNumber ? `${sign}${numberText(finding, String(difference))}` : '',
  ];
}
