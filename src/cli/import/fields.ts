/** The fields of a charge that a file can fill, and how each one reads the text of a cell. */

import { Provider, TokenDetails, type Charge } from '../../../generated/charge/v1/charge.ts';
import { explainTime, parseTimestamp } from './timestamp.ts';
import { parseChargeType, parseCount, parseProvider, quote } from './values.ts';

/** A charge in the making. */
export interface Draft {
  readonly charge: Charge;
  /** `--other-providers`: a provider that the contract does not name becomes PROVIDER_OTHER of that name. */
  readonly otherProviders: boolean | undefined;
  /** Token counts that the row has, whether filled or not. */
  readonly counts: Set<string>;
  /** Prompt and completion counts whose cell is empty. */
  readonly emptyCounts: string[];
  requestId?: string;
}

/** Reports what is wrong with a cell, as the end of a sentence that begins with the field. */
export type Fail = (rule: string, description: string) => void;

/** Puts the text of a cell into the draft, or reports why it cannot. */
type Reader = (draft: Draft, text: string, fail: Fail) => void;

/** Where a cell goes: a field of the charge, one of its labels, or the request id. */
export interface Field {
  /** As `--map` and `--set` take it: `prompt_tokens`, `token_details.reasoning_tokens`, `label.team`. */
  readonly name: string;
  /** Path from the request, as the service writes it: `charge.labels["team"]`. */
  readonly path: string;
  readonly read: Reader;
}

type NamesOf<V> = { [K in keyof Charge]: Charge[K] extends V ? K : never }[keyof Charge];
type TextName = Exclude<NamesOf<string>, 'id'>;

const READERS: Readonly<Record<string, Reader>> = {
  user_profile: text('userProfile'),
  session_key: text('sessionKey'),
  provider: unlessEmpty(readProvider),
  other_provider: text('otherProvider'),
  charge_type: unlessEmpty(readChargeType),
  prompt_tokens: count('prompt_tokens', 'promptTokens'),
  completion_tokens: count('completion_tokens', 'completionTokens'),
  total_tokens: count('total_tokens', 'totalTokens'),
  'token_details.cache_read_tokens': detail('cacheReadTokens'),
  'token_details.cache_write_5m_tokens': detail('cacheWrite5mTokens'),
  'token_details.cache_write_1h_tokens': detail('cacheWrite1hTokens'),
  'token_details.reasoning_tokens': detail('reasoningTokens'),
  'token_details.audio_input_tokens': detail('audioInputTokens'),
  'token_details.audio_output_tokens': detail('audioOutputTokens'),
  model: text('model'),
  reference: text('reference'),
  usage_time: readTime,
};

/** Every name that `--map` and `--set` take, but for labels. */
export const FIELD_NAMES: readonly string[] = Object.keys(READERS);

/** The request id, which only `--request-id-column` fills. */
export const REQUEST_ID: Field = { name: 'request_id', path: 'request_id', read: readRequestId };

/**
 * Finds a field by the name that `--map` and `--set` take. Parts of the token details may come
 * without `token_details.`. Undefined: there is no such field, or the server sets it.
 */
export function fieldNamed(name: string): Field | undefined {
  const key = /^labels?\.(.+)$/s.exec(name)?.[1];
  if (key !== undefined) return labelField(key);
  const full = [name, `token_details.${name}`].find((candidate) => Object.hasOwn(READERS, candidate));
  const read = READERS[full ?? ''];
  return full === undefined || !read ? undefined : { name: full, path: `charge.${full}`, read };
}

/** The label with this key. An empty cell makes no label. */
export function labelField(key: string): Field {
  const read: Reader = ({ charge }, value) => {
    if (value !== '') charge.labels.set(key, value);
  };
  return { name: `label.${key}`, path: `charge.labels[${JSON.stringify(key)}]`, read };
}

function text(name: TextName): Reader {
  return ({ charge }, value) => void (charge[name] = value);
}

function count(field: string, name: NamesOf<bigint>): Reader {
  const read = unlessEmpty(({ charge }, value, fail) => (charge[name] = readCount(value, fail)));
  return (draft, value, fail) => {
    draft.counts.add(field);
    // The server adds up an absent total.
    if (value.trim() === '' && field !== 'total_tokens') draft.emptyCounts.push(field);
    read(draft, value, fail);
  };
}

function detail(name: keyof TokenDetails): Reader {
  return unlessEmpty(({ charge }, value, fail) => {
    charge.tokenDetails ??= TokenDetails.fromPartial({});
    charge.tokenDetails[name] = readCount(value, fail);
  });
}

function unlessEmpty(read: Reader): Reader {
  return (draft, value, fail) => {
    if (value.trim() !== '') read(draft, value.trim(), fail);
  };
}

function readCount(value: string, fail: Fail): bigint {
  const tokens = parseCount(value);
  if (typeof tokens === 'bigint') return tokens;
  fail('import.count', tokens.reason);
  return 0n;
}

function readProvider({ charge, otherProviders }: Draft, value: string, fail: Fail): void {
  const provider = parseProvider(value);
  if (provider !== undefined) charge.provider = provider;
  else if (otherProviders) {
    charge.provider = Provider.PROVIDER_OTHER;
    charge.otherProvider = value;
  } else {
    const hint = 'is not a provider of the contract; with --other-providers it is recorded as PROVIDER_OTHER';
    fail('import.enum', `${quote(value)} ${hint}`);
  }
}

function readChargeType({ charge }: Draft, value: string, fail: Fail): void {
  const type = parseChargeType(value);
  if (type === undefined) fail('import.enum', `${quote(value)} is not completion, plugin or tool`);
  else charge.chargeType = type;
}

function readTime({ charge }: Draft, value: string, fail: Fail): void {
  const time = parseTimestamp(value.trim());
  if (time) charge.usageTime = time;
  // Without a time the server would record the moment of the import, when no usage happened.
  else if (value.trim() === '') fail('import.time', 'is empty');
  else fail('import.time', explainTime(value.trim()));
}

function readRequestId(draft: Draft, value: string, fail: Fail): void {
  // Checked here because the server's violation would not name the column.
  if (/^[ -~]{1,128}$/.test(value)) draft.requestId = value;
  else fail('import.request_id', `${quote(value)} is not 1 to 128 printable ASCII characters`);
}
