/** The fields of a charge that a file can fill, and how each one reads the text of a cell. */

import { Provider, TokenDetails, type Charge } from '../../../generated/charge/v1/charge.ts';
import { isSummaryWord } from './summary.ts';
import { explainTime, parseTimestamp } from './timestamp.ts';
import { parseChargeType, parseCount, parseProvider, quote } from './values.ts';

/** A charge in the making. */
export interface Draft {
  readonly charge: Charge;
  /** `--other-providers`: a provider that the contract does not name becomes PROVIDER_OTHER of that name. */
  readonly otherProviders: boolean | undefined;
  /** Names of the fields that have a value. */
  readonly filled: Set<string>;
  /** Tokens written to a cache whose lifetime the file does not say. They count, but are no token detail. */
  cacheWriteTokens: bigint;
  /** Of traces that count their time from 0: the distance to their start. */
  offsetMs?: number;
}

/** Reports what is wrong with a cell, as the end of a sentence that begins with the field. */
export type Fail = (rule: string, description: string) => void;

/** Puts the text of a cell, which is not empty, into the draft, or reports why it cannot. */
type Reader = (draft: Draft, text: string, fail: Fail) => void;

/** Where a cell goes: a field of the charge or one of its labels. */
export interface Field {
  /** As `--map` and `--set` take it: `prompt_tokens`, `token_details.reasoning_tokens`, `label.team`. */
  readonly name: string;
  /** Path from the request, as the service writes it: `charge.labels["team"]`. */
  readonly path: string;
  /** A count. Only counts can be added up. */
  readonly isCount: boolean;
  readonly read: Reader;
}

type NamesOf<V> = { [K in keyof Charge]: Charge[K] extends V ? K : never }[keyof Charge];
type TextName = Exclude<NamesOf<string>, 'id'>;

const COUNTS: Readonly<Record<string, (draft: Draft, tokens: bigint) => void>> = {
  prompt_tokens: ({ charge }, tokens) => (charge.promptTokens = tokens),
  completion_tokens: ({ charge }, tokens) => (charge.completionTokens = tokens),
  total_tokens: ({ charge }, tokens) => (charge.totalTokens = tokens),
  'token_details.cache_read_tokens': detail('cacheReadTokens'),
  'token_details.cache_write_5m_tokens': detail('cacheWrite5mTokens'),
  'token_details.cache_write_1h_tokens': detail('cacheWrite1hTokens'),
  'token_details.reasoning_tokens': detail('reasoningTokens'),
  'token_details.audio_input_tokens': detail('audioInputTokens'),
  'token_details.audio_output_tokens': detail('audioOutputTokens'),
  cache_write_tokens: (draft, tokens) => (draft.cacheWriteTokens = tokens),
};

const READERS: Readonly<Record<string, Reader>> = {
  user_profile: text('userProfile'),
  session_key: text('sessionKey'),
  provider: readProvider,
  other_provider: text('otherProvider'),
  charge_type: readChargeType,
  ...Object.fromEntries(Object.keys(COUNTS).map((name) => [name, readCount(name)])),
  model: readModel,
  reference: text('reference'),
  usage_time: readTime,
};

/** Times of traces that count from 0, in milliseconds for each unit. Only layouts fill them. */
const OFFSETS: Readonly<Record<string, number>> = { 'offset in seconds': 1000, 'offset in milliseconds': 1 };

/** Every name that `--map` and `--set` take, but for labels. */
export const FIELD_NAMES: readonly string[] = Object.keys(READERS);

/**
 * Finds a field by the name that `--map` and `--set` take. Parts of the token details may come
 * without `token_details.`. Undefined: there is no such field, or the server sets it.
 */
export function fieldNamed(name: string): Field | undefined {
  const key = /^labels?\.(.+)$/s.exec(name)?.[1];
  if (key !== undefined) return labelField(key);
  const full = [name, `token_details.${name}`].find((candidate) => Object.hasOwn(READERS, candidate));
  const read = READERS[full ?? ''];
  if (full === undefined || !read) return undefined;
  return { name: full, path: `charge.${full}`, isCount: Object.hasOwn(COUNTS, full), read };
}

/** Field of a layout: one of {@link fieldNamed} or an offset. Throws if the table of layouts has a wrong name. */
export function layoutField(name: string): Field {
  const unitMs = OFFSETS[name];
  const read: Reader = (draft, value, fail) => {
    if (/^\d{1,12}(\.\d+)?$/.test(value)) draft.offsetMs = Number(value) * (unitMs ?? 0);
    else fail('import.time', `${quote(value)} is not a number of seconds or milliseconds`);
  };
  const field =
    unitMs === undefined ? fieldNamed(name) : { name, path: 'charge.usage_time', isCount: false, read };
  if (!field) throw new Error(`there is no field ${name}`);
  return field;
}

/** The label with this key. */
export function labelField(key: string): Field {
  const read: Reader = ({ charge }, value) => void charge.labels.set(key, value);
  return { name: `label.${key}`, path: `charge.labels[${JSON.stringify(key)}]`, isCount: false, read };
}

function text(name: TextName): Reader {
  return ({ charge }, value) => void (charge[name] = value);
}

function detail(name: keyof TokenDetails) {
  return ({ charge }: Draft, tokens: bigint): void => {
    charge.tokenDetails ??= TokenDetails.fromPartial({});
    charge.tokenDetails[name] = tokens;
  };
}

function readCount(name: string): Reader {
  return (draft, value, fail) => {
    const tokens = parseCount(value.trim());
    if (typeof tokens === 'bigint') COUNTS[name]?.(draft, tokens);
    else fail('import.count', tokens.reason);
  };
}

function readProvider({ charge, otherProviders }: Draft, value: string, fail: Fail): void {
  const provider = parseProvider(value.trim());
  if (provider !== undefined) charge.provider = provider;
  else if (otherProviders) {
    charge.provider = Provider.PROVIDER_OTHER;
    charge.otherProvider = value.trim();
  } else {
    const hint = 'is not a provider of the contract; with --other-providers it is recorded as PROVIDER_OTHER';
    fail('import.enum', `${quote(value)} ${hint}`);
  }
}

function readChargeType({ charge }: Draft, value: string, fail: Fail): void {
  const type = parseChargeType(value.trim());
  if (type === undefined) fail('import.enum', `${quote(value)} is not completion, plugin or tool`);
  else charge.chargeType = type;
}

/** A report may sum up the models of each day, in a row that has its time. */
function readModel({ charge }: Draft, value: string, fail: Fail): void {
  if (/^all$/i.test(value.trim()) || isSummaryWord(value))
    fail('import.sum', `${quote(value)} is no model but a sum of others: it is not charged`);
  else charge.model = value;
}

function readTime({ charge }: Draft, value: string, fail: Fail): void {
  const time = parseTimestamp(value.trim());
  if (time) charge.usageTime = time;
  else fail('import.time', explainTime(value.trim()));
}
