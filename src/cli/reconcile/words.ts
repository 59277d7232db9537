/** What findings mean, and what to do about them. */

import {
  FindingKind,
  ReconcileCheck,
  type ReconcileCompared,
  type ReconcileFinding,
  type ReconcileProgress,
  SumLevel,
  type ReconcileSummary,
} from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { formatNanos } from '../money.ts';
import { group } from '../progress.ts';
import { timeText } from '../time.ts';
import { safeName } from '../usage/names.ts';

/** What a kind of finding is to people. */
interface Words {
  /** In a table. */
  readonly name: string;
  /** One or two sentences: what it means, and what to do. */
  readonly advice: string;
}

const RESTORE = 'Nothing can repair that without a guess: compare with a backup, and restore what is lost.';
const REPAIR = '--repair does that.';

const WORDS: Readonly<Record<number, Words>> = {
  [FindingKind.FINDING_KIND_SUM_DIFFERS]: {
    name: 'sums differ from charges',
    advice: `Answers about these days are wrong. The sums can be made again from the charges: ${REPAIR}`,
  },
  [FindingKind.FINDING_KIND_SUM_CURSOR_MISSING]: {
    name: 'place of the sums is missing',
    advice: `Events count twice. The place can be set to the end of the journal, and the days made again: ${REPAIR}`,
  },
  [FindingKind.FINDING_KIND_SUM_CURSOR_AHEAD]: {
    name: 'place of the sums is too far',
    advice: `New events will be left out. The place can be set to the end of the journal, and the days made again: ${REPAIR}`,
  },
  [FindingKind.FINDING_KIND_JOURNAL_NUMBERS_MISSING]: {
    name: 'numbers are missing',
    advice: `Entries of the journal are lost. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_JOURNAL_NUMBERS_DOUBLED]: {
    name: 'numbers are given twice',
    advice: `Somebody has changed the journal. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_JOURNAL_HEAD_AHEAD]: {
    name: 'last entries are lost',
    advice: `The journal ends before the number that was given last. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_JOURNAL_HEAD_BEHIND]: {
    name: 'head of the journal is behind',
    advice: `Nothing can be recorded. A head can be set to the last entry: ${REPAIR} A head that is missing comes back from a backup.`,
  },
  [FindingKind.FINDING_KIND_EVENT_WITHOUT_ROW]: {
    name: 'event of something lost',
    advice: `Charges, corrections or new costs are lost. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_EVENT_DIFFERS]: {
    name: 'event differs from its row',
    advice: `Somebody has changed the journal, a correction or a new cost. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_EVENT_DOUBLED]: {
    name: 'charge is recorded twice',
    advice: `Consumers that add up events without their ids count it twice. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_CHARGE_WITHOUT_EVENT]: {
    name: 'charge without event',
    advice: `No consumer hears of it. It can get a new entry at the end of the journal: ${REPAIR} A charge that replaces another one cannot.`,
  },
  [FindingKind.FINDING_KIND_CORRECTION_WITHOUT_EVENT]: {
    name: 'correction without event',
    advice: `Consumers still count what was corrected. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_COST_REVISION_WITHOUT_EVENT]: {
    name: 'new cost without event',
    advice: `Consumers have the cost before. ${RESTORE}`,
  },
  [FindingKind.FINDING_KIND_STREAM_UNREADABLE]: {
    name: 'stream cannot be read',
    advice: 'Journal and stream were not compared. Run it again when NATS answers.',
  },
  [FindingKind.FINDING_KIND_STREAM_EVENTS_MISSING]: {
    name: 'events are not in the stream',
    advice:
      'Consumers that have not read them yet miss them. They can be published again, after everything else and with ' +
      `the same message ids: ${REPAIR} Consumers that have them drop them by their ids.`,
  },
  [FindingKind.FINDING_KIND_STREAM_EVENTS_DOUBLED]: {
    name: 'events are twice in the stream',
    advice: 'That is allowed: consumers drop the second one by its id. Nothing has to be done.',
  },
  [FindingKind.FINDING_KIND_STREAM_MESSAGES_FOREIGN]: {
    name: 'foreign messages in the stream',
    advice:
      'Somebody else publishes on the subjects of events, or the database is older than the stream. Find out who, and ' +
      'take the right away; after the restore of a database, start with a new stream.',
  },
};

/** What a check is to people. */
interface CheckWords {
  /** What is compared with what. */
  readonly name: string;
  /** What its progress counts. */
  readonly unit: string;
  readonly compared: (counts: ReconcileCompared) => string;
}

const CHECKS: Readonly<Record<number, CheckWords>> = {
  [ReconcileCheck.RECONCILE_CHECK_JOURNAL]: {
    name: 'journal with charges',
    unit: 'steps',
    compared: ({ events, charges }) => `${count(events, 'event')}, ${count(charges, 'charge')}`,
  },
  [ReconcileCheck.RECONCILE_CHECK_SUMS]: {
    name: 'kept sums with charges',
    unit: 'days',
    compared: ({ days, charges, firstDay, lastDay }) =>
      `${count(days, 'day')}${days > 0n ? ` from ${dayText(firstDay)} to ${dayText(lastDay)}` : ''}, ${count(charges, 'charge')}`,
  },
  [ReconcileCheck.RECONCILE_CHECK_STREAM]: {
    name: 'stream with journal',
    unit: 'messages',
    compared: ({ messages, events }) => `${count(messages, 'message')}, ${count(events, 'event')}`,
  },
};

/** The day of UTC that begins then: `2026-09-02`. */
export function dayText(day: Timestamp | undefined): string {
  return timeText(day).slice(0, 10);
}

function count(number: bigint, noun: string): string {
  return `${group(number)} ${noun}${number === 1n ? '' : 's'}`;
}

/** What a check compares with what. */
export function comparisonOf(check: number): string {
  return CHECKS[check]?.name ?? `check ${check}`;
}

/** `kept sums with charges: 12 of 30 days`. */
export function progressText({ check, done, total }: ReconcileProgress): string {
  return `${comparisonOf(check)}: ${group(done)} of ${group(total)} ${CHECKS[check]?.unit ?? ''}`;
}

/** A line for each check: what it has compared. */
export function comparedLines({ compared }: ReconcileSummary): string[] {
  const width = Math.max(...compared.map(({ check }) => comparisonOf(check).length));
  return compared.map(
    (counts) =>
      `  ${comparisonOf(counts.check).padEnd(width)}  ${CHECKS[counts.check]?.compared(counts) ?? ''}`,
  );
}

/** In a table: `sums differ from charges`. */
export function nameOfKind(kind: number): string {
  return WORDS[kind]?.name ?? `finding ${kind}`;
}

/** What was found and what to do, for each kind, one paragraph each. */
export function adviceOn({ counts }: ReconcileSummary): string[] {
  return counts.map(({ kind, found, repaired }) => {
    const state =
      repaired === found ? 'all repaired' : repaired > 0n ? `${group(repaired)} repaired` : 'not repaired';
    const isAllowed = kind === FindingKind.FINDING_KIND_STREAM_EVENTS_DOUBLED;
    const advice = repaired === found ? '' : ` ${WORDS[kind]?.advice ?? ''}`;
    return `${group(found)} × ${nameOfKind(kind)}${isAllowed ? '' : `, ${state}`}.${advice}`;
  });
}

const LEVELS: Readonly<Record<number, string>> = {
  [SumLevel.SUM_LEVEL_QUARTER_HOUR]: '15 minutes',
  [SumLevel.SUM_LEVEL_DAY]: 'day',
  [SumLevel.SUM_LEVEL_USER_DAY]: 'day of a user',
};

/** What a finding is about: `total_tokens by day, 2 sums, of gpt-4o`, or `entry 17, 019…`. */
export function subjectOf(finding: ReconcileFinding): string {
  const { id, sumName, sumLevel, currencyCode, rows, userProfile, model, detail } = finding;
  const parts: string[] = [];
  if (sumName !== '') {
    parts.push(
      `${sumName.replace(/_nanos$/, '')}${currencyCode && ` in ${currencyCode}`} by ${LEVELS[sumLevel] ?? '?'}`,
    );
    const of = safeName([userProfile, model].filter(Boolean).join(' '));
    parts.push(
      `${group(rows)} sum${rows === 1n ? '' : 's'}${of && `, ${rows > 1n ? 'such as' : 'of'} ${of}`}`,
    );
  }
  parts.push(rangeText('event', finding.firstSequence, finding.lastSequence));
  parts.push(rangeText('message', finding.firstStreamSequence, finding.lastStreamSequence));
  parts.push(id, safeName(detail));
  return parts.filter(Boolean).join(', ');
}

function rangeText(name: string, first: bigint, last: bigint): string {
  if (first === 0n) return '';
  return first === last ? `${name} ${group(first)}` : `${name}s ${group(first)} to ${group(last)}`;
}

/** A number of a finding: amounts in their currency, others in groups of three digits. */
export function numberText({ sumName, currencyCode }: ReconcileFinding, text: string): string {
  if (!/^-?\d+$/.test(text)) return text;
  const number = BigInt(text);
  return sumName.endsWith('_nanos') && currencyCode !== ''
    ? `${formatNanos(number)} ${currencyCode}`
    : group(number);
}
