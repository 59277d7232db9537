/** The fields of a charge that a file can fill, and how each one reads the text of a cell. */

import { Provider, TokenDetails, type Charge } from '../../../generated/charge/v1/charge.ts';
import { parseTimestamp } from './timestamp.ts';
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

/** What is wrong with a cell, as the end of a sentence that begins with the field. */
export interface Fault {
  readonly rule: string;
  readonly description: string;
}

type Reader = (draft: Draft, text: string) => Fault | undefined;

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
  provider: readProvider,
  other_provider: text('otherProvider'),
  charge_type: readChargeType,
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
    return undefined;
  };
  return { name: `label.${key}`, path: `charge.labels[${JSON.stringify(key)}]`, read };
}

function text(name: TextName): Reader {
  return ({ charge }, value) => {
    charge[name] = value;
    return undefined;
  };
}

function count(field: string, name: NamesOf<bigint>): Reader {
  return ({ charge, counts, emptyCounts }, value) => {
    counts.add(field);
    // The server adds up an absent total.
    if (value.trim() === '' && field !== 'total_tokens') emptyCounts.push(field);
    return readCount(value, (tokens) => (charge[name] = tokens));
  };
}

function detail(name: keyof TokenDetails): Reader {
  return ({ charge }, value) =>
    readCount(value, (tokens) => {
      charge.tokenDetails ??= TokenDetails.fromPartial({});
      charge.tokenDetails[name] = tokens;
    });
}

function readCount(value: string, set: (tokens: bigint) => void): Fault | undefined {
  if (value.trim() === '') return undefined;
  const tokens = parseCount(value.trim());
  if (typeof tokens !== 'bigint') return { rule: 'import.count', description: tokens.reason };
  set(tokens);
  return undefined;
}

function readProvider(draft: Draft, value: string): Fault | undefined {
  const name = value.trim();
  if (name === '') return undefined;
  const provider = parseProvider(name);
  if (provider === undefined && !draft.otherProviders) {
    const hint = 'is not a provider of the contract; --other-providers records such as PROVIDER_OTHER';
    return { rule: 'import.enum', description: `${quote(name)} ${hint}` };
  }
  draft.charge.provider = provider ?? Provider.PROVIDER_OTHER;
  if (provider === undefined) draft.charge.otherProvider = name;
  return undefined;
}

function readChargeType({ charge }: Draft, value: string): Fault | undefined {
  if (value.trim() === '') return undefined;
  const type = parseChargeType(value.trim());
  if (type === undefined) {
    return { rule: 'import.enum', description: `${quote(value.trim())} is not completion, plugin or tool` };
  }
  charge.chargeType = type;
  return undefined;
}

function readTime({ charge }: Draft, value: string): Fault | undefined {
  // Without a time the server would record the moment of the import, when no usage happened.
  if (value.trim() === '') return { rule: 'import.time', description: 'is empty' };
  const time = parseTimestamp(value.trim());
  if (!time) {
    const description = `${quote(value.trim())} is not a time that the importer reads (see --help)`;
    return { rule: 'import.time', description };
  }
  charge.usageTime = time;
  return undefined;
}

function readRequestId(draft: Draft, value: string): Fault | undefined {
  // Checked here because the server's violation would not name the column.
  if (!/^[ -~]{1,128}$/.test(value)) {
    const description = `${quote(value)} is not 1 to 128 printable ASCII characters`;
    return { rule: 'import.request_id', description };
  }
  draft.requestId = value;
  return undefined;
}
