import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChargeType, Provider } from '../../generated/charge/v1/charge.ts';
import { parseChargeType, parseCount, parseProvider } from '../../src/cli/import/values.ts';

const INT64_MAX = 9223372036854775807n;

test.each([
  ['0', 0n],
  ['374', 374n],
  ['007', 7n],
  [`${'0'.repeat(500)}7`, 7n],
  [' 374 ', 374n],
  ['+5', 5n],
  ['374.0', 374n],
  ['374.', 374n],
  ['374,0', 374n],
  ['0.000', 0n],
  ['1234.000', 1234n],
  ['1,234', 1234n],
  ['1,234,567', 1234567n],
  ['1,234.00', 1234n],
  ['1.234.567', 1234567n],
  ['1.234,00', 1234n],
  ['1 234', 1234n],
  ['1\u00a0234', 1234n],
  ['1\u202f234\u202f567', 1234567n],
  ["1'234", 1234n],
  ['1’234', 1234n],
  ['1_234', 1234n],
  ['1e3', 1000n],
  ['4.4e1', 44n],
  ['1.234E+3', 1234n],
  ['1000e-3', 1n],
  ['0e99999999', 0n],
  ['9007199254740993', 9007199254740993n],
  ['9223372036854775807', INT64_MAX],
])('reads the count %j', (text, expected) => {
  expect(parseCount(text)).toBe(expected);
});

test.each([
  ['1.234', 'could mean 1234 or a fraction'],
  ['374.000', 'could mean 374000 or a fraction'],
  ['1.2', 'fraction'],
  ['1,5', 'fraction'],
  ['0,374', 'fraction'],
  ['1e-3', 'fraction'],
  ['-1', 'negative'],
  ['−1', 'negative'],
  ['', 'not a whole number'],
  ['N/A', 'not a whole number'],
  ['NaN', 'not a whole number'],
  ['true', 'not a whole number'],
  ['12.5K', 'not a whole number'],
  ['=SUM(A1:A2)', 'not a whole number'],
  ['0x10', 'not a whole number'],
  ['12,34', 'fraction'],
  ['1,23,456', 'not a whole number'],
  ['1,234 567', 'not a whole number'],
  ['1,788256800123E+12', 'not a whole number'],
  ['1.78826E+12', 'may be rounded'],
  ['1e400', 'larger than'],
  ['1e99999999999999999999', 'larger than'],
  ['9223372036854775808', 'larger than'],
  ['9'.repeat(100_000), 'larger than'],
])('refuses the count %.30j', (text, reason) => {
  expect(parseCount(text)).toEqual({ reason: expect.stringContaining(reason) });
});

test('every spelling of a count gives the same count, and no other', () => {
  const group = (digits: string, mark: string) => digits.replace(/\B(?=(\d{3})+$)/g, mark);
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: INT64_MAX }),
      fc.constantFrom(',', ' ', '\u202f', "'", '_'),
      fc.integer({ min: 1, max: 2 }),
      (count, mark, decimals) => {
        const text = String(count);
        const zeros = '0'.repeat(decimals);
        for (const spelling of [text, `+${text}`, `${text}.${zeros}`, `${text},${zeros}`, group(text, mark)])
          expect(parseCount(spelling)).toBe(count);
        if (count > 0n) expect(parseCount(`${text}.${zeros}1`)).not.toEqual(expect.any(BigInt));
      },
    ),
  );
});

test.each([
  [Provider.PROVIDER_OPENAI, 'PROVIDER_OPENAI|openai|OpenAI|Open AI|text-completion-openai|openai.responses'],
  [Provider.PROVIDER_META_AI, 'meta|Meta AI|meta_llama'],
  [Provider.PROVIDER_GOOGLE_AI, 'google|Google AI|GOOGLE'],
  [Provider.PROVIDER_ANTHROPIC, 'anthropic|ANTHROPIC|anthropic_text'],
  [
    Provider.PROVIDER_AWS_BEDROCK,
    'bedrock|bedrock_converse|aws.bedrock|aws_bedrock|Amazon Bedrock|amazon-bedrock',
  ],
  [Provider.PROVIDER_AZURE_AI_INFERENCE, 'azure_ai|azure.ai.inference|az.ai.inference'],
  [Provider.PROVIDER_AZURE_AI_OPENAI, 'azure|Azure|Azure OpenAI|azure.ai.openai|az.ai.openai|azure_text'],
  [Provider.PROVIDER_COHERE, 'cohere|cohere_chat'],
  [Provider.PROVIDER_DEEPSEEK, 'deepseek|DeepSeek'],
  [Provider.PROVIDER_GCP_GEMINI, 'gemini|gcp.gemini|Google AI Studio|google-ai-studio'],
  [Provider.PROVIDER_GCP_GEN_AI, 'gcp.gen_ai|Google Generative AI'],
  [
    Provider.PROVIDER_GCP_VERTEX_AI,
    'vertex_ai|vertex_ai_beta|gcp.vertex_ai|Google Vertex|google-vertex|Vertex AI',
  ],
  [Provider.PROVIDER_GROQ, 'groq|Groq'],
  [Provider.PROVIDER_IBM_WATSONX_AI, 'watsonx|ibm.watsonx.ai|IBM watsonx.ai'],
  [Provider.PROVIDER_MISTRAL_AI, 'mistral|Mistral|mistralai|mistral_ai|codestral'],
  [Provider.PROVIDER_PERPLEXITY, 'perplexity|Perplexity AI'],
  [Provider.PROVIDER_X_AI, 'xai|x_ai|xAI|x.ai|x-ai'],
  [undefined, 'openrouter|aws|AWS|google_genai|microsoft|ibm|claude|grok|openai_like|custom_openai|x||-'],
])('provider %s is %s', (provider, names) => {
  for (const name of names.split('|')) expect([name, parseProvider(name)]).toEqual([name, provider]);
});

test.each([
  [
    ChargeType.CHARGE_TYPE_COMPLETION,
    'completion|Prompt Completion|acompletion|chat|chat_completion|chat.completion|text_completion|GENERATION|responses|messages|aembedding|embeddings|generate_content',
  ],
  [ChargeType.CHARGE_TYPE_TOOL, 'tool|TOOL|function|tool_call|execute_tool|call_mcp_tool'],
  [ChargeType.CHARGE_TYPE_PLUGIN, 'plugin|CHARGE_TYPE_PLUGIN'],
  [undefined, 'span|SPAN|event|chain|invoke_agent|standard|batch|unspecified|'],
])('charge type %s is %s', (type, names) => {
  for (const name of names.split('|')) expect([name, parseChargeType(name)]).toEqual([name, type]);
});
