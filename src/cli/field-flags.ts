/** Errors of the service for people who typed flags: it names fields of the request. */

import { describe, nameOf, type ServerError } from './server-error.ts';

/** Fields that have another name than their flag. */
const FLAGS: Readonly<Record<string, string>> = {
  start_time: 'from',
  end_time: 'to',
  user_profile: 'user',
  charge_type: 'type',
  session_key: 'session',
  labels: 'label',
  user_profile_labels: 'profile-label',
  import_id: 'import',
  time_zone: 'zone',
  group_by: 'by',
  group_by_labels: 'by',
  group_by_user_profile_labels: 'by',
  order_by: 'order',
  currency_code: 'currency',
  as_of_sequence: 'as-of',
};

/** The flags of a command for fields that are not those of a question or a filter: `{ end_time: '--before' }`. */
export type FieldFlags = Readonly<Record<string, string>>;

/** A field of a question or of a filter, such as `query.filter.labels["team"]`. */
const PATH = /\b(?:query|filter)\.(?:filter\.)?([a-z_]+)(?:\["([^"]*)"\]|\[\d+\])?/g;

/** An error in one line, with the flags in place of the fields, and with every violation. */
export function describeWithFlags(error: ServerError, fields: FieldFlags = {}): string {
  const { violations } = error;
  if (violations.length === 0) return withFlags(describe(error), fields);
  const faults = violations.map(({ field, description }) => `${field || 'the request'}: ${description}`);
  return withFlags(`${nameOf(error)}: ${faults.join('; ')}`, fields);
}

function withFlags(text: string, fields: FieldFlags): string {
  const named = text
    .replace(PATH, (_, field: string, key?: string) => {
      const flag = `--${FLAGS[field] ?? field}`;
      return key === undefined ? flag : `${flag} ${key}`;
    })
    .replaceAll('allow_closed_period', '--allow-closed-period');
  return Object.entries(fields).reduce(
    (result, [field, flag]) => result.replace(new RegExp(`(?<![\\w.])${field}(?!\\w)`, 'g'), flag),
    named,
  );
}
