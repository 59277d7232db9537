/** Which column names fill which field if no flag says so. */

/**
 * Common names of each field in usage exports, best first, in the form that {@link simplify} gives.
 *
 * `cache_read_input_tokens` and `cache_creation_input_tokens` are left out on purpose. Anthropic
 * does not include them in `input_tokens`, but the contract's `prompt_tokens` includes them. A guess
 * would record a wrong count.
 */
export const ALIASES: Readonly<Record<string, readonly string[]>> = {
  user_profile: words('user userid username userprofileid enduser enduserid customer customerid'),
  session_key: words('session sessionid conversation conversationid threadid chatid'),
  provider: words('providername vendor llmprovider customllmprovider genaiprovidername genaisystem'),
  charge_type: words('usagetype'),
  prompt_tokens: words(
    'contexttokens inputtokens prompttokencount inputtokencount ncontexttokenstotal usageprompttokens usageinputtokens genaiusageinputtokens',
  ),
  completion_tokens: words(
    'generatedtokens outputtokens completiontokencount outputtokencount ngeneratedtokenstotal usagecompletiontokens usageoutputtokens genaiusageoutputtokens',
  ),
  total_tokens: words('tokens totaltokencount usagetotaltokens'),
  model: words('modelname modelid llmmodel genairesponsemodel genairequestmodel'),
  reference: words('responseid invoice invoiceid genairesponseid'),
  usage_time: words('timestamp eventtime occurredat datetime time ts starttime createdat created date'),
  'token_details.cache_read_tokens': words('cachedtokens inputcachedtokens cachedprompttokens'),
};

/** Names of cache counts that some providers do not include in their input tokens, simplified. */
export const NOT_IN_INPUT: ReadonlySet<string> = new Set([
  'cachereadinputtokens',
  'cachecreationinputtokens',
  'usagecachereadinputtokens',
  'usagecachecreationinputtokens',
]);

/** A column name without case, underscores and other marks: `Context_Tokens` → `contexttokens`. */
export function simplify(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

function words(text: string): string[] {
  return text.split(' ');
}
