/** The fields of a charge that a file can fill, by their names in the contract. */

/** Fields of `Charge` that are plain texts: contract name → name in the generated code. */
export const TEXT_FIELDS = {
  user_profile: 'userProfile',
  session_key: 'sessionKey',
  other_provider: 'otherProvider',
  model: 'model',
  reference: 'reference',
} as const;

/** Token counts of `Charge`: contract name → name in the generated code. */
export const COUNT_FIELDS = {
  prompt_tokens: 'promptTokens',
  completion_tokens: 'completionTokens',
  total_tokens: 'totalTokens',
} as const;

/** Token counts of `TokenDetails`: contract name → name in the generated code. */
export const DETAIL_FIELDS = {
  cache_read_tokens: 'cacheReadTokens',
  cache_write_5m_tokens: 'cacheWrite5mTokens',
  cache_write_1h_tokens: 'cacheWrite1hTokens',
  reasoning_tokens: 'reasoningTokens',
  audio_input_tokens: 'audioInputTokens',
  audio_output_tokens: 'audioOutputTokens',
} as const;

/** Where a value goes: one field of a charge, one of its labels, or the request id. */
export type Target =
  | { readonly kind: 'text'; readonly name: keyof typeof TEXT_FIELDS }
  | { readonly kind: 'count'; readonly name: keyof typeof COUNT_FIELDS }
  | { readonly kind: 'detail'; readonly name: keyof typeof DETAIL_FIELDS }
  | { readonly kind: 'provider' | 'charge_type' | 'usage_time' | 'request_id' }
  | { readonly kind: 'label'; readonly key: string };

/**
 * Reads a field name as `--map` and `--set` take it: a contract name (`prompt_tokens`), a part of
 * the token details with or without its message (`token_details.reasoning_tokens`), or
 * `label.KEY`. Undefined: there is no such field, or the server sets it.
 */
export function targetOf(name: string): Target | undefined {
  const label = /^labels?\.(.+)$/s.exec(name);
  if (label?.[1] !== undefined) return { kind: 'label', key: label[1] };
  const detail = name.replace(/^token_details\./, '');
  if (Object.hasOwn(DETAIL_FIELDS, detail))
    return { kind: 'detail', name: detail as keyof typeof DETAIL_FIELDS };
  if (Object.hasOwn(TEXT_FIELDS, name)) return { kind: 'text', name: name as keyof typeof TEXT_FIELDS };
  if (Object.hasOwn(COUNT_FIELDS, name)) return { kind: 'count', name: name as keyof typeof COUNT_FIELDS };
  if (name === 'provider' || name === 'charge_type' || name === 'usage_time') return { kind: name };
  return undefined;
}

/** The contract's name of a target, which is also its path from `Charge`. */
export function nameOf(target: Target): string {
  switch (target.kind) {
    case 'text':
    case 'count':
      return target.name;
    case 'detail':
      return `token_details.${target.name}`;
    case 'label':
      return `label.${target.key}`;
    default:
      return target.kind;
  }
}

/** Every name that `--map` and `--set` take, for messages. */
export const FIELD_NAMES: readonly string[] = [
  'user_profile',
  'session_key',
  'provider',
  'other_provider',
  'charge_type',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  ...Object.keys(DETAIL_FIELDS).map((name) => `token_details.${name}`),
  'model',
  'reference',
  'usage_time',
  'label.KEY',
];
