/** Reads counts and enum values out of cells. */

import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { simplify } from './aliases.ts';

const INT64_MAX = 9223372036854775807n;

/** Reads a token count: digits only, at most 2^63−1. Otherwise returns the reason, as the end of a sentence. */
export function parseCount(text: string): bigint | { reason: string } {
  if (!/^\d+$/.test(text)) return { reason: `${quote(text)} is not a whole number written in digits` };
  // The time of BigInt() grows with the square of the length. A count has at most 19 digits after its zeros.
  const digits = text.replace(/^0+(?=\d)/, '');
  const count = digits.length > 19 ? undefined : BigInt(digits);
  if (count === undefined || count > INT64_MAX)
    return { reason: `${quote(text)} is larger than ${INT64_MAX}` };
  return count;
}

/** Provider for a contract name (`PROVIDER_OPENAI`, `openai`) or a name that people use (`Azure OpenAI`). */
export function parseProvider(text: string): Provider | undefined {
  return PROVIDERS.get(simplify(text));
}

/** Charge type for a contract name (`CHARGE_TYPE_TOOL`, `tool`) or its label (`Prompt Completion`). */
export function parseChargeType(text: string): ChargeType | undefined {
  return CHARGE_TYPES.get(simplify(text));
}

/** A text for a message, in quotes and cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

const PROVIDERS = new Map<string, Provider>([
  ...namesOf(Provider, 'PROVIDER_'),
  ['meta', Provider.PROVIDER_META_AI],
  ['google', Provider.PROVIDER_GOOGLE_AI],
  ['bedrock', Provider.PROVIDER_AWS_BEDROCK],
  ['amazonbedrock', Provider.PROVIDER_AWS_BEDROCK],
  ['azureopenai', Provider.PROVIDER_AZURE_AI_OPENAI],
  ['gemini', Provider.PROVIDER_GCP_GEMINI],
  ['googlegenerativeai', Provider.PROVIDER_GCP_GEN_AI],
  ['vertexai', Provider.PROVIDER_GCP_VERTEX_AI],
  ['watsonx', Provider.PROVIDER_IBM_WATSONX_AI],
  ['mistral', Provider.PROVIDER_MISTRAL_AI],
]);

const CHARGE_TYPES = new Map<string, ChargeType>([
  ...namesOf(ChargeType, 'CHARGE_TYPE_'),
  ['promptcompletion', ChargeType.CHARGE_TYPE_COMPLETION],
]);

function namesOf<T extends number>(values: Readonly<Record<string, T>>, prefix: string): [string, T][] {
  return Object.entries(values)
    .filter(([, value]) => value > 0)
    .flatMap(([name, value]): [string, T][] => [
      [simplify(name), value],
      [simplify(name.slice(prefix.length)), value],
    ]);
}
