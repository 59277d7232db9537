/** What makes two requests "the same content", and which field differs if they are not. */

import { hash } from 'node:crypto';

import type { Money } from '../prices/index.ts';
import type { Charge, ChargeContent, TokenDetails } from './charge.ts';

/** Half a SHA-256, which still makes an accidental match impossible in practice. */
const CONTENT_HASH_DIGITS = 32;

/**
 * Hash of the content in a canonical form that depends on no library and no wire format: a version, then
 * every field in the contract's order, texts after their length, labels sorted by key. It is stored for
 * ever, so the form must never change; a new form gets a new version. Hexadecimal digits, because a Buffer
 * for each hash would be memory outside of V8's heap, which costs more than the hash.
 */
export function contentHash(content: ChargeContent): string {
  return hash('sha256', canonicalContent(content), 'hex').slice(0, CONTENT_HASH_DIGITS);
}

/** What an erased charge has instead (`erase_user_profile` sets it): no content has this hash. */
const ERASED_HASH = '0'.repeat(CONTENT_HASH_DIGITS);

/** Whether the user profile of a charge was erased, by the hash that is stored. */
export function isErased(row: { readonly contentHash: string }): boolean {
  return row.contentHash === ERASED_HASH;
}

function canonicalContent(content: ChargeContent): string {
  const details = content.tokenDetails;
  return (
    `1;${text(content.userProfile)}${text(content.sessionKey)}${content.provider};` +
    `${text(content.otherProvider)}${content.chargeType};${content.promptTokens};` +
    `${content.completionTokens};${content.totalTokens};${details ? tokenDetails(details) : '-;'}` +
    `${text(content.model)}${text(content.reference)}${labels(content.labels)}` +
    `${content.usageTimeMicros ?? '-'};${content.serviceTier};${text(content.region)}` +
    `${quantities(content.quantities)}${reportedCost(content.reportedCost)}${content.callOutcome}`
  );
}

function text(value: string): string {
  return `${value.length}:${value};`;
}

function tokenDetails(details: TokenDetails): string {
  return (
    `${details.cacheReadTokens},${details.cacheWrite5mTokens},${details.cacheWrite1hTokens},` +
    `${details.reasoningTokens},${details.audioInputTokens},${details.audioOutputTokens},` +
    `${details.imageInputTokens},${details.imageOutputTokens};`
  );
}

function labels(map: ReadonlyMap<string, string>): string {
  if (map.size === 0) return '0;';
  const keys = [...map.keys()].sort();
  return `${map.size};${keys.map((key) => text(key) + text(map.get(key) ?? '')).join('')}`;
}

function quantities(map: ReadonlyMap<number, bigint>): string {
  if (map.size === 0) return '0;';
  const sorted = [...map].sort(([a], [b]) => a - b);
  return `${map.size};${sorted.map(([kind, amount]) => `${kind}:${amount};`).join('')}`;
}

function reportedCost(money: Money | undefined): string {
  return money === undefined ? '-;' : `${money.currencyCode}${money.nanos};`;
}

const SCALARS = [
  ['userProfile', 'user_profile'],
  ['sessionKey', 'session_key'],
  ['provider', 'provider'],
  ['otherProvider', 'other_provider'],
  ['chargeType', 'charge_type'],
  ['promptTokens', 'prompt_tokens'],
  ['completionTokens', 'completion_tokens'],
  ['totalTokens', 'total_tokens'],
] as const;

const DETAILS = [
  ['cacheReadTokens', 'cache_read_tokens'],
  ['cacheWrite5mTokens', 'cache_write_5m_tokens'],
  ['cacheWrite1hTokens', 'cache_write_1h_tokens'],
  ['reasoningTokens', 'reasoning_tokens'],
  ['audioInputTokens', 'audio_input_tokens'],
  ['audioOutputTokens', 'audio_output_tokens'],
  ['imageInputTokens', 'image_input_tokens'],
  ['imageOutputTokens', 'image_output_tokens'],
] as const;

/**
 * The first field in which a request differs from the charge that its request id made, as a path in proto spelling.
 * Fields are compared in the contract's order, but `usage_time` last: if every other field of contents whose hashes
 * differ is equal, one of the two gave it and the other left it to the server.
 */
export function firstDifference(stored: Charge, requested: ChargeContent): string {
  for (const [member, field] of SCALARS) {
    if (stored[member] !== requested[member]) return field;
  }
  const detail = differingDetail(stored.tokenDetails, requested.tokenDetails);
  if (detail !== undefined) return detail;
  if (stored.model !== requested.model) return 'model';
  if (stored.reference !== requested.reference) return 'reference';
  const label = differingLabel(stored.labels, requested.labels);
  if (label !== undefined) return label;
  if (stored.serviceTier !== requested.serviceTier) return 'service_tier';
  if (stored.region !== requested.region) return 'region';
  if (quantities(stored.quantities) !== quantities(requested.quantities)) return 'quantities';
  if (reportedCost(stored.reportedCost) !== reportedCost(requested.reportedCost)) return 'reported_cost';
  return stored.callOutcome === requested.callOutcome ? 'usage_time' : 'call_outcome';
}

function differingDetail(a: TokenDetails | undefined, b: TokenDetails | undefined): string | undefined {
  if (a === undefined || b === undefined) return a === b ? undefined : 'token_details';
  const pair = DETAILS.find(([member]) => a[member] !== b[member]);
  return pair && `token_details.${pair[1]}`;
}

function differingLabel(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string | undefined {
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort();
  const key = keys.find((candidate) => a.get(candidate) !== b.get(candidate));
  return key === undefined ? undefined : `labels[${JSON.stringify(key)}]`;
}
