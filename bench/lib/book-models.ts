/** The models of the generated book, the most used one first. Names are real ones, rates are made up. */

import { Provider } from '../../generated/charge/v1/charge.ts';

/** A model, and what it costs. */
export interface BookModel {
  readonly provider: Provider;
  /** Only of `PROVIDER_OTHER`; else empty. */
  readonly otherProvider: string;
  readonly model: string;
  /** Where it runs; empty: not recorded. */
  readonly region: string;
  readonly currency: 'USD' | 'EUR';
  /** Nanos of an input token: a multiple of 10, so that a tenth of it is whole. An output token costs four times that. */
  readonly inputNanos: number;
}

const P = Provider;
const OWN: readonly (readonly [Provider, string, readonly string[]])[] = [
  [P.PROVIDER_OPENAI, '', ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini', 'o3-mini', 'o3', 'o4-mini']],
  [P.PROVIDER_ANTHROPIC, '', ['claude-sonnet-4', 'claude-3-5-haiku', 'claude-opus-4', 'claude-3-7-sonnet']],
  [P.PROVIDER_GCP_VERTEX_AI, 'europe-west4', ['gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-2.0-flash']],
  [P.PROVIDER_AWS_BEDROCK, 'us-east-1', ['claude-sonnet-4', 'llama-3.3-70b', 'nova-pro', 'nova-lite']],
  [P.PROVIDER_AZURE_AI_OPENAI, 'westeurope', ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'o3-mini']],
  [P.PROVIDER_GCP_GEMINI, '', ['gemini-2.5-flash', 'gemini-2.5-flash-lite', 'gemini-2.5-pro']],
  [P.PROVIDER_MISTRAL_AI, '', ['mistral-large', 'mistral-small', 'codestral']],
  [P.PROVIDER_DEEPSEEK, '', ['deepseek-chat', 'deepseek-reasoner']],
  [P.PROVIDER_GROQ, '', ['llama-3.3-70b-versatile', 'llama-3.1-8b-instant']],
  [P.PROVIDER_META_AI, '', ['llama-4-maverick', 'llama-4-scout']],
  [P.PROVIDER_X_AI, '', ['grok-3', 'grok-3-mini']],
  [P.PROVIDER_COHERE, '', ['command-r-plus']],
  [P.PROVIDER_PERPLEXITY, '', ['sonar']],
  [P.PROVIDER_OTHER, '', ['qwen-3-32b', 'phi-4']],
];

/** Forty models: the first of each provider, then the second of each, and so on. */
export const BOOK_MODELS: readonly BookModel[] = OWN.flatMap(([provider, region, models]) =>
  models.map((model, place) => ({ provider, region, model, place })),
)
  .sort((a, b) => a.place - b.place)
  .map(({ provider, region, model }, rank) => ({
    provider,
    otherProvider: provider === P.PROVIDER_OTHER ? 'own-cluster' : '',
    model,
    region,
    currency: provider === P.PROVIDER_MISTRAL_AI ? 'EUR' : 'USD',
    inputNanos: 100 + ((rank * 370) % 4_900),
  }));
