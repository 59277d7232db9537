/** Which column names are taken for which field when no flag says so. */

/**
 * Common names of each field in usage exports, best first, in the form that {@link simplify} gives.
 *
 * Left out on purpose: `cache_read_input_tokens` and `cache_creation_input_tokens`. Anthropic
 * counts those beside `input_tokens`, the contract's `prompt_tokens` includes them; taking them by
 * guess would record a wrong count.
 */
export const ALIASES: Readonly<Record<string, readonly string[]>> = {
  user_profile: [
    'user',
    'userid',
    'username',
    'userprofileid',
    'enduser',
    'enduserid',
    'customer',
    'customerid',
  ],
  session_key: ['session', 'sessionid', 'conversation', 'conversationid', 'threadid', 'chatid'],
  provider: [
    'providername',
    'vendor',
    'llmprovider',
    'customllmprovider',
    'genaiprovidername',
    'genaisystem',
  ],
  charge_type: ['usagetype'],
  prompt_tokens: [
    'contexttokens',
    'inputtokens',
    'prompttokencount',
    'inputtokencount',
    'ncontexttokenstotal',
    'usageprompttokens',
    'usageinputtokens',
    'genaiusageinputtokens',
  ],
  completion_tokens: [
    'generatedtokens',
    'outputtokens',
    'completiontokencount',
    'outputtokencount',
    'ngeneratedtokenstotal',
    'usagecompletiontokens',
    'usageoutputtokens',
    'genaiusageoutputtokens',
  ],
  total_tokens: ['tokens', 'totaltokencount', 'usagetotaltokens'],
  model: ['modelname', 'modelid', 'llmmodel', 'genairesponsemodel', 'genairequestmodel'],
  reference: ['responseid', 'invoice', 'invoiceid', 'genairesponseid'],
  usage_time: [
    'timestamp',
    'eventtime',
    'occurredat',
    'datetime',
    'time',
    'ts',
    'starttime',
    'createdat',
    'created',
    'date',
  ],
  'token_details.cache_read_tokens': ['cachedtokens', 'inputcachedtokens', 'cachedprompttokens'],
};

/** Names of cache counts that some providers keep out of their input tokens, simplified. */
export const BESIDE_INPUT: ReadonlySet<string> = new Set([
  'cachereadinputtokens',
  'cachecreationinputtokens',
  'usagecachereadinputtokens',
  'usagecachecreationinputtokens',
]);

/** A column name without case, underscores and other marks: `Context_Tokens` → `contexttokens`. */
export function simplify(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}
