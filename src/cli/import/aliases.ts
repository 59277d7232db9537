/** Which column names fill which field if neither a flag nor a layout says so. */

/**
 * Common names of each field in usage exports, best first, in the form that {@link simplify} gives.
 * Names that mean different things in different programs are in `layouts/`.
 */
export const ALIASES: Readonly<Record<string, readonly string[]>> = {
  user_profile: words('user userid username userprofileid useremail enduser enduserid customer customerid'),
  session_key: words('session sessionid conversation conversationid threadid chatid'),
  provider: words('providername vendor llmprovider customllmprovider'),
  charge_type: words('usagetype'),
  prompt_tokens: words(
    'contexttokens inputtokens prompttokencount inputtokencount ncontexttokenstotal usageprompttokens usageinputtokens',
  ),
  completion_tokens: words(
    'generatedtokens outputtokens completiontokencount outputtokencount ngeneratedtokenstotal usagecompletiontokens usageoutputtokens',
  ),
  total_tokens: words('tokens totaltokencount usagetotaltokens'),
  model: words('modelname modelid llmmodel'),
  reference: words('responseid invoice invoiceid'),
  usage_time: words('timestamp eventtime occurredat datetime time ts starttime createdat created date'),
  'token_details.cache_read_tokens': words(
    'cachedtokens inputcachedtokens cachedprompttokens cachedinputtokens cacheread cachereadinputtokens usagecachereadinputtokens',
  ),
  'token_details.reasoning_tokens': words('reasoningoutputtokens outputreasoningtokens thinkingtokens'),
  cache_write_tokens: words(
    'cachewrite cachecreationtokens cachewriteinputtokens cachecreationinputtokens usagecachecreationinputtokens',
  ),
};

/**
 * Columns that usually hold the id of one event, best first, simplified. Whether they do in a file is
 * checked before they are used.
 */
export const ID_ALIASES: readonly string[] = words(
  'requestid responseid generationid completionid messageid eventid usageid callid spanid logid transactionid uuid id',
);

/** A column name without case, underscores and other marks: `Context_Tokens` → `contexttokens`. */
export function simplify(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

function words(text: string): string[] {
  return text.split(' ');
}
