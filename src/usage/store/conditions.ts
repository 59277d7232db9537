/** Filters of charges as conditions of a statement. */

import { type ChargeFilter, indexedMember } from '../../charges/index.ts';
import { jsonOfMap } from '../../database/types/json-map.ts';
import { namesUserProfileLabels } from '../plan.ts';
import type { UsageQuery } from '../usage.ts';

/** Values of named parameters. */
export type Parameters = Readonly<Record<string, unknown>>;

/** Members of a filter and their columns. */
const EQUALITIES = [
  { member: 'userProfile', column: 'user_profile' },
  { member: 'provider', column: 'provider' },
  { member: 'chargeType', column: 'charge_type' },
  { member: 'model', column: 'model' },
  { member: 'sessionKey', column: 'session_key' },
  { member: 'reference', column: 'reference' },
  { member: 'importId', column: 'import_id' },
] as const;

/**
 * The conditions of a filter about `relation`, apart from its time range. Kept sums do not have all of the columns; no
 * plan asks them then.
 */
export function conditionsOf(filter: ChargeFilter, relation: 'charge' | 'rollup'): string {
  return conditionsBut(undefined, filter, relation);
}

/** The same about charges that are read by an index, without the condition that chooses it. */
export function conditionsBesideIndex(filter: ChargeFilter): string {
  return conditionsBut(indexedMember(filter)?.[0], filter, 'charge');
}

function conditionsBut(
  omitted: string | undefined,
  filter: ChargeFilter,
  relation: 'charge' | 'rollup',
): string {
  const conditions = EQUALITIES.filter(({ member }) => filter[member] && member !== omitted).map(
    ({ member, column }) => `${relation}.${column} = :${member}`,
  );
  if (hasLabels(filter)) conditions.push(`${relation}.labels @> :labels::jsonb`);
  return conditions.join(' AND ') || 'true';
}

/** The column among them whose index is read, and its parameter; undefined: that of usage time. */
export function indexedOf(
  filter: ChargeFilter,
): { readonly column: string; readonly value: string } | undefined {
  const indexed = indexedMember(filter);
  return indexed && { column: indexed[1], value: `:${indexed[0]}` };
}

/** The parameters of these conditions. */
export function conditionParameters(filter: ChargeFilter): Parameters {
  const { userProfileLabels } = filter;
  return {
    ...filter,
    labels: hasLabels(filter) ? jsonOfMap(filter.labels) : undefined,
    userProfileLabels: userProfileLabels && jsonOfMap(userProfileLabels),
  };
}

/**
 * Joins a relation with its user profiles, as `profile`, if the question names their labels. Only those that carry the
 * labels of the filter are left.
 */
export function withUserProfiles(query: UsageQuery, relation: 'charge' | 'rollup'): string {
  if (!namesUserProfileLabels(query)) return '';
  const isFiltered = (query.filter.userProfileLabels?.size ?? 0) > 0;
  return `${isFiltered ? 'JOIN' : 'LEFT JOIN'} user_profile AS profile
    ON profile.tenant = :tenant AND profile.id = ${relation}.user_profile
    ${isFiltered ? 'AND profile.labels @> :userProfileLabels::jsonb' : ''}`;
}

function hasLabels(filter: ChargeFilter): filter is ChargeFilter & { labels: ReadonlyMap<string, string> } {
  return filter.labels !== undefined && filter.labels.size > 0;
}
