/**
 * How the charges of a filter are found: one index is read in its order, and everything else is asked of each row.
 * PostgreSQL would choose between two indexes by estimates, and a wrong one reads millions of rows for a page.
 */

import { jsonOfMap } from '../../database/types/json-map.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import type { ChargeFilter, ListPosition } from '../charge.ts';
import { timeOfChargeId } from '../charge-id.ts';
import type { ListQuery } from '../ports.ts';

/** A condition for WHERE, with a `?` for each value. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** All of these conditions, for WHERE. */
export function allOf(conditions: readonly Condition[]): Condition {
  return {
    sql: conditions.map(({ sql }) => sql).join(' AND ') || 'true',
    values: conditions.flatMap(({ values }) => values),
  };
}

/** The part of an index that has the charges of a filter after a place in their list. */
export interface IndexRange {
  /** For ORDER BY: as in the index. That is the order of the list, but for the ids in one millisecond. */
  readonly order: string;
  /** The range has rows from its start on. */
  readonly fromStart: Condition;
  /** Where it ends, exclusive: usage time and time of creation, for {@link before}. */
  readonly end: Condition;
  /** The rows before a place in the range. */
  before(place: Condition): Condition;
  /**
   * Of the charges at the start, only those after the place in the list: the indexes end with the time of creation,
   * which is the first part of the id.
   */
  readonly afterPlace: readonly Condition[];
  /** What else the filter asks of each row. */
  readonly others: readonly Condition[];
}

/** Columns with an index in the order of lists. The first one that the filter names is used, else usage time alone. */
const INDEXED = [
  ['importId', 'import_id'],
  ['reference', 'reference'],
  ['sessionKey', 'session_key'],
  ['userProfile', 'user_profile'],
] as const;
const NOT_INDEXED = [
  ['provider', 'provider'],
  ['chargeType', 'charge_type'],
  ['model', 'model'],
] as const;

/** The member of a filter, and its column, whose index is read; undefined: that of usage time. */
export function indexedMember(filter: ChargeFilter): (typeof INDEXED)[number] | undefined {
  return INDEXED.find(([member]) => filter[member]);
}

/** Where to find the charges of `filter` after a place in their list; undefined: from its start on. */
export function indexRangeOf(
  tenant: string,
  filter: ChargeFilter,
  order: ListQuery['order'],
  after: ListPosition | undefined,
): IndexRange {
  const newestFirst = order === 'newest_first';
  const [first, ...further] = equalities(filter, INDEXED);
  const columns = [...(first ? [first.column] : []), 'usage_time', 'create_time'];
  // With an equality instead, PostgreSQL takes the index of usage time if it expects this value in nearly all rows.
  const compare = (operator: string, place: Condition): Condition => ({
    sql: `(${columns.join(', ')}) ${operator} (${first ? '?, ' : ''}${place.sql})`,
    values: [...(first?.values ?? []), ...place.values],
  });
  const { start, end } = boundsOf(filter, newestFirst, after);
  const isIndexed = first ? [{ sql: `${first.column} IS NOT NULL`, values: [] }] : [];
  return {
    order: columns.map((column) => `${column} ${newestFirst ? 'DESC' : 'ASC'}`).join(', '),
    fromStart: allOf([
      { sql: 'tenant = ?', values: [tenant] },
      ...isIndexed,
      compare(newestFirst ? '<=' : '>=', start),
    ]),
    end,
    before: (place) => compare(newestFirst ? '>' : '<', place),
    afterPlace: after === undefined ? [] : [afterPlace(after, newestFirst)],
    others: [...further, ...comparisonsOf(filter)],
  };
}

/** What a filter asks of each row, but for its times. */
export function valuesOf(filter: ChargeFilter): Condition[] {
  return [...equalities(filter, INDEXED), ...comparisonsOf(filter)];
}

function comparisonsOf(filter: ChargeFilter): Condition[] {
  return [...equalities(filter, NOT_INDEXED), ...labelsOf(filter), ...userProfileLabelsOf(filter)];
}

function equalities(
  filter: ChargeFilter,
  columns: typeof INDEXED | typeof NOT_INDEXED,
): (Condition & { readonly column: string })[] {
  return columns.flatMap(([member, column]) => {
    const value = filter[member];
    return value ? [{ column, sql: `${column} = ?`, values: [value] }] : [];
  });
}

function labelsOf({ labels }: ChargeFilter): Condition[] {
  if (labels === undefined || labels.size === 0) return [];
  return [{ sql: 'labels @> ?::jsonb', values: [jsonOfMap(labels)] }];
}

/** OFFSET 0 makes it a look-up for each row: as a join, it could change their order. */
function userProfileLabelsOf({ userProfileLabels }: ChargeFilter): Condition[] {
  if (userProfileLabels === undefined || userProfileLabels.size === 0) return [];
  const sql = `EXISTS (SELECT FROM user_profile AS profile WHERE profile.tenant = charge.tenant
    AND profile.id = charge.user_profile AND profile.labels @> ?::jsonb OFFSET 0)`;
  return [{ sql, values: [jsonOfMap(userProfileLabels)] }];
}

/**
 * Start and end of a range. There is one condition for each: of two for its start, PostgreSQL would begin at the first
 * one and walk to the other.
 */
function boundsOf(
  { startTimeMicros, endTimeMicros }: ChargeFilter,
  newestFirst: boolean,
  after: ListPosition | undefined,
): { start: Condition; end: Condition } {
  const earliest = placeOf(startTimeMicros === undefined ? '-infinity' : startTimeMicros);
  const latest = placeOf(endTimeMicros === undefined ? 'infinity' : endTimeMicros);
  const [start, end] = newestFirst ? [latest, earliest] : [earliest, latest];
  // Anybody can make a page token with a place outside of the time range.
  const isInside =
    after !== undefined &&
    (newestFirst
      ? endTimeMicros === undefined || after.usageTimeMicros < endTimeMicros
      : startTimeMicros === undefined || after.usageTimeMicros >= startTimeMicros);
  return { start: isInside ? placeOf(after.usageTimeMicros, timeOfChargeId(after.id)) : start, end };
}

/** A place of an index; without a time of creation, before all charges of that usage time. */
function placeOf(usageTime: bigint | string, createTime: bigint | string = '-infinity'): Condition {
  const literal = (time: bigint | string) => (typeof time === 'bigint' ? timestamptzFromMicros(time) : time);
  return { sql: '?::timestamptz, ?::timestamptz', values: [literal(usageTime), literal(createTime)] };
}

function afterPlace(after: ListPosition, newestFirst: boolean): Condition {
  const place = placeOf(after.usageTimeMicros, timeOfChargeId(after.id));
  return {
    sql: `((usage_time, create_time) <> (${place.sql}) OR id ${newestFirst ? '<' : '>'} ?::uuid)`,
    values: [...place.values, after.id],
  };
}
