/** Rows of `charge` and the domain's charges: `fromChargeRow` and `chargeParameters` are the only bridge. */

import type { Charge, ChargeContent, TokenDetails } from '../charge.ts';
import { BinaryArray } from '../../database/binary-array.ts';
import { isHashedKey } from './request-key.ts';
import { microsFromTimestamptz } from '../../database/timestamptz.ts';

/** A charge about to be written, with everything that the server adds to the caller's content. */
export interface NewCharge {
  /** A UUID, as its text. */
  readonly id: string;
  readonly requestId: string;
  /** Of the request id, a UUID: see `request-key.ts`. */
  readonly requestKey: string;
  /** 32 hexadecimal digits. */
  readonly contentHash: string;
  readonly content: ChargeContent;
  /** The time in the id: lists are ordered by it where usage times are equal. */
  readonly createTimeMicros: bigint;
  readonly traceparent: string | undefined;
}

/** A row of `charge` as the driver returns it: every bigint and timestamptz as its text. */
export interface ChargeRow {
  readonly id: string;
  readonly request_key: string;
  readonly request_id: string | null;
  /** Its 16 bytes in the spelling of a UUID. */
  readonly content_hash: string;
  readonly user_profile: string;
  readonly session_key: string | null;
  readonly provider: number;
  readonly other_provider: string | null;
  readonly charge_type: number;
  readonly prompt_tokens: string;
  readonly completion_tokens: string;
  readonly total_tokens: string;
  readonly cache_read_tokens: string | null;
  readonly cache_write_5m_tokens: string | null;
  readonly cache_write_1h_tokens: string | null;
  readonly reasoning_tokens: string | null;
  readonly audio_input_tokens: string | null;
  readonly audio_output_tokens: string | null;
  readonly model: string | null;
  readonly reference: string | null;
  readonly labels: Record<string, string> | null;
  readonly usage_time: string;
  readonly create_time: string;
  readonly traceparent: string | null;
}

const NO_LABELS: ReadonlyMap<string, string> = new Map();

/** The charge as its caller sees it right after COMMIT, without reading it back. */
export function chargeOf(created: NewCharge): Charge {
  return {
    ...created.content,
    id: created.id,
    usageTimeMicros: created.content.usageTimeMicros ?? created.createTimeMicros,
    createTimeMicros: created.createTimeMicros,
  };
}

/** The charge of a row. Throws a RangeError for a time that this service cannot have written. */
export function fromChargeRow(row: ChargeRow): Charge {
  return {
    id: row.id,
    userProfile: row.user_profile,
    sessionKey: row.session_key ?? '',
    provider: row.provider,
    otherProvider: row.other_provider ?? '',
    chargeType: row.charge_type,
    promptTokens: BigInt(row.prompt_tokens),
    completionTokens: BigInt(row.completion_tokens),
    totalTokens: BigInt(row.total_tokens),
    tokenDetails: fromDetailColumns(row),
    model: row.model ?? '',
    reference: row.reference ?? '',
    labels: row.labels === null ? NO_LABELS : new Map(Object.entries(row.labels)),
    usageTimeMicros: microsFromTimestamptz(row.usage_time),
    createTimeMicros: microsFromTimestamptz(row.create_time),
  };
}

/** The request id that made the charge of a row. */
export function requestIdOf(row: ChargeRow): string {
  return row.request_id ?? row.request_key;
}

function fromDetailColumns(row: ChargeRow): TokenDetails | undefined {
  if (row.cache_read_tokens === null) return undefined;
  return {
    cacheReadTokens: BigInt(row.cache_read_tokens),
    cacheWrite5mTokens: BigInt(row.cache_write_5m_tokens ?? 0),
    cacheWrite1hTokens: BigInt(row.cache_write_1h_tokens ?? 0),
    reasoningTokens: BigInt(row.reasoning_tokens ?? 0),
    audioInputTokens: BigInt(row.audio_input_tokens ?? 0),
    audioOutputTokens: BigInt(row.audio_output_tokens ?? 0),
  };
}

/** Column, array type and value of each parameter of the write statement, in its order. */
const COLUMNS: readonly {
  readonly name: string;
  readonly type: ConstructorParameters<typeof BinaryArray>[0];
  readonly append: (array: BinaryArray, charge: NewCharge) => void;
}[] = [
  { name: 'id', type: 'uuid', append: (a, c) => a.uuid(c.id) },
  { name: 'request_key', type: 'uuid', append: (a, c) => a.uuid(c.requestKey) },
  {
    name: 'request_id',
    type: 'text',
    append: (a, c) => optionalText(a, isHashedKey(c.requestKey) ? c.requestId : ''),
  },
  { name: 'content_hash', type: 'uuid', append: (a, c) => a.uuid(c.contentHash) },
  { name: 'user_profile', type: 'text', append: (a, c) => a.text(c.content.userProfile) },
  { name: 'session_key', type: 'text', append: (a, c) => optionalText(a, c.content.sessionKey) },
  { name: 'provider', type: 'int2', append: (a, c) => a.int2(c.content.provider) },
  { name: 'other_provider', type: 'text', append: (a, c) => optionalText(a, c.content.otherProvider) },
  { name: 'charge_type', type: 'int2', append: (a, c) => a.int2(c.content.chargeType) },
  { name: 'prompt_tokens', type: 'int8', append: (a, c) => a.int8(c.content.promptTokens) },
  { name: 'completion_tokens', type: 'int8', append: (a, c) => a.int8(c.content.completionTokens) },
  { name: 'total_tokens', type: 'int8', append: (a, c) => a.int8(c.content.totalTokens) },
  { name: 'cache_read_tokens', type: 'int8', append: detail((d) => d.cacheReadTokens) },
  { name: 'cache_write_5m_tokens', type: 'int8', append: detail((d) => d.cacheWrite5mTokens) },
  { name: 'cache_write_1h_tokens', type: 'int8', append: detail((d) => d.cacheWrite1hTokens) },
  { name: 'reasoning_tokens', type: 'int8', append: detail((d) => d.reasoningTokens) },
  { name: 'audio_input_tokens', type: 'int8', append: detail((d) => d.audioInputTokens) },
  { name: 'audio_output_tokens', type: 'int8', append: detail((d) => d.audioOutputTokens) },
  { name: 'model', type: 'text', append: (a, c) => optionalText(a, c.content.model) },
  { name: 'reference', type: 'text', append: (a, c) => optionalText(a, c.content.reference) },
  { name: 'labels', type: 'jsonb', append: (a, c) => labels(a, c.content.labels) },
  {
    name: 'usage_time',
    type: 'timestamptz',
    append: (a, c) => a.timestamptz(c.content.usageTimeMicros ?? c.createTimeMicros),
  },
  { name: 'create_time', type: 'timestamptz', append: (a, c) => a.timestamptz(c.createTimeMicros) },
  { name: 'traceparent', type: 'text', append: (a, c) => optionalText(a, c.traceparent ?? '') },
];

function optionalText(array: BinaryArray, value: string): void {
  if (value === '') array.null();
  else array.text(value);
}

function detail(part: (details: TokenDetails) => bigint) {
  return (array: BinaryArray, charge: NewCharge): void => {
    const details = charge.content.tokenDetails;
    if (details === undefined) array.null();
    else array.int8(part(details));
  };
}

function labels(array: BinaryArray, map: ReadonlyMap<string, string>): void {
  if (map.size === 0) array.null();
  // fromEntries() defines own members, so a label named "__proto__" survives.
  else array.jsonb(JSON.stringify(Object.fromEntries(map)));
}

/** The columns that a write sets, apart from the tenant, in the order of the parameters. */
export const CHARGE_COLUMNS = COLUMNS.map((column) => column.name);

/**
 * `unnest($2::uuid[]), unnest($3::text[]), …`: a select list that makes the rows of the parameters,
 * numbered from `first`. One unnest() of all arrays in FROM would first copy every column into a
 * store of its own, which costs 5 % more CPU time a row (bench/write-cost.ts).
 */
export function chargeSelectList(first: number): string {
  return COLUMNS.map((column, index) => `unnest($${first + index}::${column.type}[])`).join(', ');
}

/** One binary array per column, in the order of {@link CHARGE_COLUMNS}. */
export function chargeParameters(charges: readonly NewCharge[]): (Buffer | null)[] {
  return COLUMNS.map(({ type, append }) => {
    const array = new BinaryArray(type, charges.length * 24 + 64);
    for (const charge of charges) append(array, charge);
    return array.parameter();
  });
}
