/** Which provider, model and region an entry of LiteLLM's price map is about. */

import { Provider } from '../../../../generated/charge/v1/charge.ts';
import { ModelMatch } from '../../../../generated/charge/v1/price_service.ts';
import { parseProvider } from '../../import/values.ts';

/** The part of a key that the name of an entry tells. */
export interface NamedModel {
  /** Several if a price is for several of the contract's providers. */
  readonly providers: readonly Provider[];
  /** Empty unless the provider is PROVIDER_OTHER. */
  readonly otherProvider: string;
  readonly model: string;
  readonly modelMatch: ModelMatch;
  readonly region: string;
  /** The name begins with the provider: `openai/gpt-4o`. */
  readonly spellsProvider: boolean;
}

/** Callers record Gemini's own API under any of these. */
const GEMINI = [Provider.PROVIDER_GCP_GEMINI, Provider.PROVIDER_GOOGLE_AI, Provider.PROVIDER_GCP_GEN_AI];

/** Regions before the name of a model, as far as providers put them there. */
const REGIONS: Readonly<Partial<Record<Provider, RegExp>>> = {
  [Provider.PROVIDER_AWS_BEDROCK]: /^([a-z]{2}-(?:[a-z]+-)+\d)\/(.+)$/,
  [Provider.PROVIDER_AZURE_AI_OPENAI]: /^(eu|us|global)\/(.+)$/,
  [Provider.PROVIDER_AZURE_AI_INFERENCE]: /^(eu|us|global)\/(.+)$/,
};

/** Reads the name of an entry and its `litellm_provider`. */
export function readModel(entry: string, litellmProvider: string): NamedModel {
  const { provider, name } = readProvider(litellmProvider);
  const [, first = '', rest = ''] = /^([^/]+)\/(.+)$/.exec(entry) ?? [];
  const spelled = first === '' ? undefined : readProvider(first);
  const spellsProvider = spelled?.provider === provider && spelled.name === name;
  let model = spellsProvider ? rest : entry;
  let region = '';
  const located = REGIONS[provider]?.exec(model);
  if (located) [, region = '', model = ''] = located;
  // The name of a tuned model goes on after that of its base.
  const isTuned = model.startsWith('ft:');
  return {
    providers: provider === Provider.PROVIDER_GCP_GEMINI ? GEMINI : [provider],
    otherProvider: name,
    model: isTuned ? `${model}:` : model,
    modelMatch: isTuned ? ModelMatch.MODEL_MATCH_PREFIX : ModelMatch.MODEL_MATCH_EXACT,
    region,
    spellsProvider,
  };
}

/** The contract's provider, or PROVIDER_OTHER with a name. */
export function readProvider(text: string): { readonly provider: Provider; readonly name: string } {
  // `vertex_ai-anthropic_models`, `fireworks_ai-embedding-models`: one provider, sorted by models.
  const base = text.replace(/^(vertex_ai)-.+$|-embedding-models$/, '$1');
  const provider = parseProvider(base);
  if (provider !== undefined && provider !== Provider.PROVIDER_OTHER) return { provider, name: '' };
  return { provider: Provider.PROVIDER_OTHER, name: base };
}
