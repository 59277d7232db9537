/**
 * Names that other programs give to the values of the contract's enums. Case, blanks and the
 * marks `-`, `_`, `.`, `/` do not matter.
 *
 * A name that could be two providers is left out on purpose, because a guess would be recorded: `aws`
 * (Bedrock or SageMaker), `google_genai` (Gemini or Vertex AI), `microsoft`, `ibm`, `x`, `llama`,
 * `claude`, `grok`, `azure_ai_foundry` (OpenAI models or others), `openai_like`, `custom_openai`.
 */

import { CallOutcome, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';

/**
 * Taken from LiteLLM's `LlmProviders`, OpenRouter's provider names and slugs, OpenTelemetry's
 * `gen_ai.provider.name` and its predecessor `gen_ai.system`, LangChain's `init_chat_model`, the provider
 * ids of the AI SDK, Helicone's providers, TensorZero's, and the service names in cloud bills (FOCUS).
 */
export const PROVIDER_NAMES: readonly (readonly [Provider, string])[] = [
  [
    Provider.PROVIDER_OPENAI,
    'text-completion-openai, openai.chat, openai.responses, openai.completion, openai.embedding, openai-native',
  ],
  [Provider.PROVIDER_META_AI, 'meta, meta_llama, meta-llama-api'],
  [Provider.PROVIDER_GOOGLE_AI, 'google'],
  [Provider.PROVIDER_ANTHROPIC, 'anthropic_text, anthropic.messages, anthropic-claude'],
  [
    Provider.PROVIDER_AWS_BEDROCK,
    'bedrock, bedrock_converse, bedrock_mantle, amazon-bedrock, aws-bedrock, aws.bedrock, anthropic-bedrock, Amazon Bedrock Runtime',
  ],
  [Provider.PROVIDER_AZURE_AI_INFERENCE, 'azure_ai, az.ai.inference, azure.ai.inference'],
  [
    Provider.PROVIDER_AZURE_AI_OPENAI,
    'azure, azure_text, azure-openai, Azure OpenAI Service, az.ai.openai, azure.ai.openai, azure.chat, azure.responses, azure-openai.chat, azure-openai.responses, Microsoft Azure OpenAI',
  ],
  [Provider.PROVIDER_COHERE, 'cohere_chat, cohere.chat, cohere.textEmbedding'],
  [Provider.PROVIDER_DEEPSEEK, 'deepseek.chat, DeepSeek AI'],
  [
    Provider.PROVIDER_GCP_GEMINI,
    'gemini, google-gemini, Google AI Studio, google_ai_studio_gemini, Gemini API, Google Gemini API',
  ],
  [Provider.PROVIDER_GCP_GEN_AI, 'Google Generative AI'],
  [
    Provider.PROVIDER_GCP_VERTEX_AI,
    'vertex, vertex_ai, vertex_ai_beta, google-vertex, google_vertexai, google.vertex.chat, gcp_vertex_gemini, gcp_vertex_anthropic, gcp_vertex_ai_gemini, gcp_vertex_ai_anthropic, anthropic_vertex, google_anthropic_vertex, vertex.anthropic.messages, Google Cloud Vertex AI',
  ],
  [Provider.PROVIDER_GROQ, 'groq.chat, groqcloud'],
  [Provider.PROVIDER_IBM_WATSONX_AI, 'watsonx, watsonx_text, watsonx.ai, ibm-watsonx, IBM watsonx'],
  [
    Provider.PROVIDER_MISTRAL_AI,
    'mistral, mistralai, mistral.chat, mistral.embedding, codestral, text-completion-codestral',
  ],
  [Provider.PROVIDER_MOONSHOT_AI, 'moonshot, moonshot.chat, moonshotai.chat'],
  [Provider.PROVIDER_PERPLEXITY, 'perplexity-ai'],
  [Provider.PROVIDER_X_AI, 'x-ai, xai, xai.chat, xai.responses'],
];

/**
 * Taken from LiteLLM's call types and model modes, OpenTelemetry's `gen_ai.operation.name`, Langfuse's
 * observation types and the endpoints of OpenAI's API. A call of a model is a completion, whatever the
 * model answers with. Names of steps that only contain such calls (`span`, `chain`, `invoke_agent`) are
 * left out: their tokens would be counted twice.
 */
export const CHARGE_TYPE_NAMES: readonly (readonly [ChargeType, string])[] = [
  [
    ChargeType.CHARGE_TYPE_COMPLETION,
    'completions, acompletion, prompt completion, chat, chats, chat completion, chat completions, chat.completion, text completion, atext_completion, generation, generate_content, agenerate_content, generate_content_stream, agenerate_content_stream, response, responses, aresponses, message, messages, anthropic_messages, embedding, embeddings, aembedding, llm, inference, image_generation, aimage_generation, transcription, atranscription, audio_transcription, speech, aspeech, audio_speech, moderation, amoderation, rerank, arerank, ocr, aocr, arealtime, realtime',
  ],
  [ChargeType.CHARGE_TYPE_PLUGIN, 'plugins, plugin call'],
  [
    ChargeType.CHARGE_TYPE_TOOL,
    'tools, tool call, tool calls, tool use, function, function call, execute_tool, call_mcp_tool',
  ],
];

/** Taken from the responses of OpenAI, Anthropic, Google and Groq. `scale` and provisioned capacity are no tiers of the contract. */
export const SERVICE_TIER_NAMES: readonly (readonly [ServiceTier, string])[] = [
  [ServiceTier.SERVICE_TIER_STANDARD, 'default, on_demand'],
  [ServiceTier.SERVICE_TIER_PRIORITY, 'on_demand_priority'],
  [ServiceTier.SERVICE_TIER_FLEX, 'on_demand_flex'],
];

/** Taken from the states that LiteLLM and the APIs of OpenAI give to a call that has ended. */
export const CALL_OUTCOME_NAMES: readonly (readonly [CallOutcome, string])[] = [
  [CallOutcome.CALL_OUTCOME_SUCCEEDED, 'success, successful, completed, ok'],
  [CallOutcome.CALL_OUTCOME_INTERRUPTED, 'cancelled, canceled, aborted'],
  [CallOutcome.CALL_OUTCOME_FAILED, 'failure, error, errored'],
];
