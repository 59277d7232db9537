/** Answers as anybody would compute them from the events of a journal: charge by charge, in memory. */

import type { Charge, ChargeFilter } from '../../../src/charges/charge.ts';
import type { JournalEvent } from '../../../src/charges/charge-event.ts';
import {
  DIMENSION,
  type GroupValue,
  ORDER,
  QUANTITY_COLUMNS,
  SUM_COLUMNS,
  type UsageQuery,
  type UsageRow,
} from '../../../src/usage/usage.ts';
import { boundsOf, USER_PROFILES } from './book.ts';

/** The charges that count after these events, by id, with the cost that they have then. */
export function chargesAfter(events: readonly JournalEvent[]): Map<string, Charge> {
  const charges = new Map<string, Charge>();
  for (const event of events) {
    if (event.kind === 'erased') continue;
    if (event.kind === 'voided') charges.delete(event.charge.id);
    else charges.set(event.charge.id, event.charge);
    if (event.kind === 'amended') charges.delete(event.original.id);
  }
  return charges;
}

/** The rows of the answer to a question about these charges. */
export function naiveRows(charges: Iterable<Charge>, query: UsageQuery): UsageRow[] {
  const bounds = boundsOf(query);
  const rows = new Map<string, Row>();
  const rowOf = (window: number, group: GroupValue[]): Row => {
    const key = JSON.stringify([window, group]);
    const row = rows.get(key) ?? new Row(window, group);
    rows.set(key, row);
    return row;
  };
  const isOneRow = groupSizeOf(query) === 0;
  if (isOneRow && bounds === undefined) rowOf(1, []);
  if (isOneRow && query.fill) for (const window of windowsOf(bounds)) rowOf(window, []);
  for (const charge of charges) {
    if (!isMeant(charge, query.filter)) continue;
    const group = groupOf(charge, query);
    const window = bounds?.findIndex((bound) => charge.usageTimeMicros < bound) ?? 1;
    rowOf(window, group).add(charge);
    if (query.fill) for (const other of windowsOf(bounds)) rowOf(other, group);
  }
  return [...rows.values()].map((row) => row.answer(query)).sort(compareRows);
}

const groupSizeOf = ({ groupBy, groupByLabels, groupByUserProfileLabels }: UsageQuery): number =>
  groupBy.length + groupByLabels.length + groupByUserProfileLabels.length;

const windowsOf = (bounds: readonly bigint[] | undefined): number[] =>
  (bounds ?? []).slice(1).map((_, index) => index + 1);

function isMeant(charge: Charge, filter: ChargeFilter): boolean {
  const { labels, userProfileLabels, startTimeMicros, endTimeMicros, ...equalities } = filter;
  const wanted = Object.entries(equalities).filter(([, value]) => Boolean(value));
  return (
    wanted.every(([member, value]) => charge[member as keyof Charge] === value) &&
    [...(labels ?? [])].every(([key, value]) => charge.labels.get(key) === value) &&
    [...(userProfileLabels ?? [])].every(
      ([key, value]) => USER_PROFILES.get(charge.userProfile)?.get(key) === value,
    ) &&
    !(startTimeMicros !== undefined && charge.usageTimeMicros < startTimeMicros) &&
    !(endTimeMicros !== undefined && charge.usageTimeMicros >= endTimeMicros)
  );
}

const VALUES: Readonly<Record<number, (charge: Charge) => GroupValue[]>> = {
  [DIMENSION.userProfile]: ({ userProfile }) => [userProfile],
  [DIMENSION.provider]: ({ provider, otherProvider }) => [provider, otherProvider],
  [DIMENSION.model]: ({ model }) => [model],
  [DIMENSION.chargeType]: ({ chargeType }) => [chargeType],
  [DIMENSION.sessionKey]: ({ sessionKey }) => [sessionKey],
  [DIMENSION.reference]: ({ reference }) => [reference],
  [DIMENSION.serviceTier]: ({ serviceTier }) => [serviceTier],
  [DIMENSION.region]: ({ region }) => [region],
  [DIMENSION.callOutcome]: ({ callOutcome }) => [callOutcome],
};

function groupOf(
  charge: Charge,
  { groupBy, groupByLabels, groupByUserProfileLabels }: UsageQuery,
): GroupValue[] {
  return [
    ...groupBy.flatMap((dimension) => VALUES[dimension]?.(charge) ?? []),
    ...groupByLabels.map((key) => charge.labels.get(key) ?? ''),
    ...groupByUserProfileLabels.map((key) => USER_PROFILES.get(charge.userProfile)?.get(key) ?? ''),
  ];
}

type Column = (typeof SUM_COLUMNS)[number];
const TOKENS: Readonly<Record<string, (charge: Charge) => bigint | undefined>> = {
  charges: () => 1n,
  unpriced_charges: ({ costNanos }) => (costNanos === undefined ? 1n : 0n),
  prompt_tokens: ({ promptTokens }) => promptTokens,
  completion_tokens: ({ completionTokens }) => completionTokens,
  total_tokens: ({ totalTokens }) => totalTokens,
  cache_read_tokens: ({ tokenDetails }) => tokenDetails?.cacheReadTokens,
  cache_write_5m_tokens: ({ tokenDetails }) => tokenDetails?.cacheWrite5mTokens,
  cache_write_1h_tokens: ({ tokenDetails }) => tokenDetails?.cacheWrite1hTokens,
  reasoning_tokens: ({ tokenDetails }) => tokenDetails?.reasoningTokens,
  audio_input_tokens: ({ tokenDetails }) => tokenDetails?.audioInputTokens,
  audio_output_tokens: ({ tokenDetails }) => tokenDetails?.audioOutputTokens,
  image_input_tokens: ({ tokenDetails }) => tokenDetails?.imageInputTokens,
  image_output_tokens: ({ tokenDetails }) => tokenDetails?.imageOutputTokens,
};
const KINDS = new Map<Column, number>([...QUANTITY_COLUMNS].map(([kind, column]) => [column, kind]));

const ORDERED_FIELDS: Readonly<Record<number, string>> = {
  [ORDER.totalTokens]: 'total_tokens',
  [ORDER.promptTokens]: 'prompt_tokens',
  [ORDER.completionTokens]: 'completion_tokens',
  [ORDER.cost]: 'costs',
  [ORDER.reportedCost]: 'reported_costs',
  [ORDER.unpricedCharges]: 'unpriced_charges',
};

/** The field of a row that shows the sum of this column. */
function fieldOf(name: Column): string {
  if (KINDS.has(name)) return 'quantities';
  return /^(charges|unpriced_charges|(prompt|completion|total)_tokens)$/.test(name) ? name : 'token_details';
}

/** The sums of one group in one window. */
class Row {
  readonly #window: number;
  readonly #group: readonly GroupValue[];
  readonly #sums = Object.fromEntries(SUM_COLUMNS.map((name) => [name, 0n])) as Record<Column, bigint>;
  readonly #costs = new Map<string, bigint>();
  readonly #reportedCosts = new Map<string, bigint>();

  constructor(window: number, group: readonly GroupValue[]) {
    this.#window = window;
    this.#group = group;
  }

  add(charge: Charge): void {
    for (const name of SUM_COLUMNS) {
      const kind = KINDS.get(name);
      const amount = kind === undefined ? TOKENS[name]?.(charge) : charge.quantities.get(kind);
      this.#sums[name] += amount ?? 0n;
    }
    const { costNanos, costCurrency, reportedCost } = charge;
    if (costNanos !== undefined) addTo(this.#costs, costCurrency, costNanos);
    if (reportedCost !== undefined) addTo(this.#reportedCosts, reportedCost.currencyCode, reportedCost.nanos);
  }

  answer({ orderBy, currencyCode, readMask }: UsageQuery): UsageRow {
    const measures: Readonly<Record<number, bigint>> = {
      [ORDER.charges]: this.#sums.charges,
      [ORDER.totalTokens]: this.#sums.total_tokens,
      [ORDER.promptTokens]: this.#sums.prompt_tokens,
      [ORDER.completionTokens]: this.#sums.completion_tokens,
      [ORDER.cost]: this.#costs.get(currencyCode) ?? 0n,
      [ORDER.reportedCost]: this.#reportedCosts.get(currencyCode) ?? 0n,
      [ORDER.unpricedCharges]: this.#sums.unpriced_charges,
    };
    const ordered = ORDERED_FIELDS[orderBy];
    const isShown = (field: string): boolean =>
      readMask.length === 0 || field === 'charges' || field === ordered || readMask.includes(field);
    const sums = SUM_COLUMNS.map((name) => [name, isShown(fieldOf(name)) ? this.#sums[name] : 0n]);
    return {
      window: this.#window,
      group: this.#group,
      measure: measures[orderBy] ?? 0n,
      sums: Object.fromEntries(sums) as Record<Column, bigint>,
      costs: new Map(isShown('costs') ? [...this.#costs].sort() : []),
      reportedCosts: new Map(isShown('reported_costs') ? [...this.#reportedCosts].sort() : []),
    };
  }
}

function addTo(sums: Map<string, bigint>, key: string, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}

/** The most first, then by window, then by group: texts by their bytes. */
function compareRows(a: UsageRow, b: UsageRow): number {
  if (a.measure !== b.measure) return a.measure > b.measure ? -1 : 1;
  if (a.window !== b.window) return a.window - b.window;
  for (const [index, value] of a.group.entries()) {
    const other = b.group[index];
    const order =
      typeof value === 'number'
        ? value - Number(other)
        : Buffer.compare(Buffer.from(value), Buffer.from(String(other)));
    if (order !== 0) return order;
  }
  return 0;
}
