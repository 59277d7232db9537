/** What usage can be grouped by, as people name it. */

import { CallOutcome, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { UsageDimension as By, type UsageGroup } from '../../../generated/charge/v1/usage_service.ts';
import { quote } from '../import/values.ts';
import { shortName } from '../prices/price-text.ts';

/** A thing to group by. */
export interface Dimension {
  /** As on the command line: `user`, `label:team`. */
  readonly name: string;
  /** Undefined: a label. */
  readonly by: By | undefined;
  /** The key of a label, of charges or of user profiles. */
  readonly label?: { readonly of: 'charge' | 'profile'; readonly key: string };
  /** The values of a group, by their names for programs. Empty: the charges do not have it. */
  fields(group: UsageGroup): Readonly<Record<string, string>>;
  /** A filter that lets only the charges of a group through. Undefined: there is none. */
  filter(group: UsageGroup): Partial<ChargeFilter> | undefined;
}

/** Groups by a text of the charge. */
function byText<K extends 'userProfile' | 'model' | 'sessionKey' | 'reference' | 'region'>(
  name: string,
  by: By,
  key: K,
  field: string,
): Dimension {
  return {
    name,
    by,
    fields: (group) => ({ [field]: group[key] }),
    // An empty text filters nothing, and there is no filter by region.
    filter: (group) => (group[key] === '' || key === 'region' ? undefined : { [key]: group[key] }),
  };
}

/** Groups by an enum of the charge. */
function byEnum(
  name: string,
  by: By,
  values: Readonly<Record<string, number>>,
  key: 'serviceTier' | 'callOutcome',
  field: string,
): Dimension {
  return {
    name,
    by,
    fields: (group) => ({ [field]: enumText(values, group[key]) }),
    filter: () => undefined,
  };
}

function enumText(values: Readonly<Record<string, number>>, value: number): string {
  return value === 0 ? '' : shortName(values, value);
}

/** Every dimension but labels, in the order of the contract. */
const DIMENSIONS: readonly Dimension[] = [
  byText('user', By.USAGE_DIMENSION_USER_PROFILE, 'userProfile', 'user_profile'),
  {
    name: 'provider',
    by: By.USAGE_DIMENSION_PROVIDER,
    fields: ({ provider, otherProvider }) => ({
      provider: enumText(Provider, provider),
      other_provider: otherProvider,
    }),
    filter: ({ provider, otherProvider }) =>
      provider === 0 || otherProvider !== '' ? undefined : { provider },
  },
  byText('model', By.USAGE_DIMENSION_MODEL, 'model', 'model'),
  {
    name: 'type',
    by: By.USAGE_DIMENSION_CHARGE_TYPE,
    fields: ({ chargeType }) => ({ charge_type: enumText(ChargeType, chargeType) }),
    filter: ({ chargeType }) => (chargeType === 0 ? undefined : { chargeType }),
  },
  byText('session', By.USAGE_DIMENSION_SESSION_KEY, 'sessionKey', 'session_key'),
  byText('reference', By.USAGE_DIMENSION_REFERENCE, 'reference', 'reference'),
  byEnum('tier', By.USAGE_DIMENSION_SERVICE_TIER, ServiceTier, 'serviceTier', 'service_tier'),
  byText('region', By.USAGE_DIMENSION_REGION, 'region', 'region'),
  byEnum('outcome', By.USAGE_DIMENSION_CALL_OUTCOME, CallOutcome, 'callOutcome', 'call_outcome'),
];

/** Every name, for messages and help. */
export const DIMENSION_NAMES = `${DIMENSIONS.map(({ name }) => name).join(', ')}, label:KEY, profile-label:KEY`;

const LABELS_MAX = 4;

/** Reads names such as `user,model` and `label:team`, one or many. Plurals are understood. */
export function readDimensions(flag: string, texts: readonly string[], faults: string[]): Dimension[] {
  const names = texts.flatMap((text) => text.split(',')).map((name) => name.trim());
  const found = names.flatMap((name) => readDimension(name) ?? unknown(flag, name, faults));
  const twice = found.filter(({ name }, index) => found.findIndex((other) => other.name === name) < index);
  for (const { name } of twice) faults.push(`${flag}: ${name} is there twice`);
  for (const kind of ['charge', 'profile']) {
    if (found.filter(({ label }) => label?.of === kind).length > LABELS_MAX)
      faults.push(`${flag}: at most ${LABELS_MAX} labels${kind === 'profile' ? ' of user profiles' : ''}`);
  }
  return found;
}

function readDimension(text: string): Dimension | undefined {
  const [, profile, key] = /^(profile-)?labels?:(.{1,63})$/su.exec(text) ?? [];
  if (key === undefined) return DIMENSIONS.find(({ name }) => name === text || `${name}s` === text);
  return profile === undefined ? byLabel(key) : byUserProfileLabel(key);
}

function byLabel(key: string): Dimension {
  const name = `label:${key}`;
  return {
    name,
    by: undefined,
    label: { of: 'charge', key },
    fields: ({ labels }) => ({ [name]: labels.get(key) ?? '' }),
    filter: ({ labels }) =>
      labels.get(key) ? { labels: new Map([[key, labels.get(key) ?? '']]) } : undefined,
  };
}

function byUserProfileLabel(key: string): Dimension {
  const name = `profile-label:${key}`;
  return {
    name,
    by: undefined,
    label: { of: 'profile', key },
    fields: ({ userProfileLabels }) => ({ [name]: userProfileLabels.get(key) ?? '' }),
    filter: ({ userProfileLabels }) => {
      const value = userProfileLabels.get(key);
      return value ? { userProfileLabels: new Map([[key, value]]) } : undefined;
    },
  };
}

function unknown(flag: string, name: string, faults: string[]): [] {
  faults.push(`${flag}: ${quote(name)} is none of ${DIMENSION_NAMES}`);
  return [];
}

/** The value of a dimension for people, not yet made safe for a terminal. Empty: the charges do not have it. */
export function textOf(dimension: Dimension, group: UsageGroup): string {
  return Object.values(dimension.fields(group)).findLast((text) => text !== '') ?? '';
}

/** Equal if and only if two rows are about the same group. */
export function groupKey(dimensions: readonly Dimension[], group: UsageGroup): string {
  return JSON.stringify(dimensions.map((dimension) => dimension.fields(group)));
}

/** The filter with which only the charges of this group are left. Undefined: no filter does that. */
export function filterOf(
  dimensions: readonly Dimension[],
  group: UsageGroup,
  filter: ChargeFilter,
): ChargeFilter | undefined {
  let narrow = filter;
  for (const dimension of dimensions) {
    const part = dimension.filter(group);
    if (!part) return undefined;
    const labels = new Map([...narrow.labels, ...(part.labels ?? [])]);
    const userProfileLabels = new Map([...narrow.userProfileLabels, ...(part.userProfileLabels ?? [])]);
    narrow = { ...narrow, ...part, labels, userProfileLabels };
  }
  return narrow;
}
