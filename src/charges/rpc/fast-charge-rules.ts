/**
 * The contract's rules for CreateChargeRequest as one predicate: half a microsecond per request;
 * protovalidate takes 70 to 190. It only says yes or no; protovalidate then names the violations. A property
 * test checks that both give the same verdict.
 */

import type { Charge, ChargeType, Provider, TokenDetails } from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { isWellFormedTimestamp } from '../../grpc/timestamp.ts';
import { CHARGE_TYPE_COMPLETION, PROVIDER_OTHER } from '../charge.ts';

const INT64_MAX = 9_223_372_036_854_775_807n;
const TEXT_MAX = 255;
const LABELS_MAX = 16;
const LABEL_KEY_MAX = 63;
const REQUEST_ID_MAX = 128;
const USAGE_AHEAD_MAX_MS = 24 * 60 * 60 * 1000;
const PROVIDER_LAST_OF_RUN: Provider = 17;
const CHARGE_TYPE_LAST: ChargeType = 3;

/** Whether the request satisfies every rule of the contract at `nowMs` (Unix time). */
export function isValidCreateChargeRequest(request: CreateChargeRequest, nowMs: number): boolean {
  const { charge, requestId } = request;
  return isRequestId(requestId) && charge !== undefined && isValidCharge(charge, nowMs);
}

function isValidCharge(charge: Charge, nowMs: number): boolean {
  return (
    charge.userProfile !== '' &&
    isText(charge.userProfile, TEXT_MAX) &&
    isText(charge.sessionKey, TEXT_MAX) &&
    isText(charge.otherProvider, TEXT_MAX) &&
    isText(charge.model, TEXT_MAX) &&
    isText(charge.reference, TEXT_MAX) &&
    isProvider(charge.provider) &&
    charge.chargeType >= 1 &&
    charge.chargeType <= CHARGE_TYPE_LAST &&
    (charge.provider === PROVIDER_OTHER) === (charge.otherProvider !== '') &&
    (charge.chargeType !== CHARGE_TYPE_COMPLETION || charge.model !== '') &&
    areTotals(charge) &&
    (charge.tokenDetails === undefined || arePartsOf(charge, charge.tokenDetails)) &&
    (charge.labels.size === 0 || areLabels(charge.labels)) &&
    (charge.usageTime === undefined || isUsageTime(charge.usageTime, nowMs))
  );
}

function isProvider(provider: number): boolean {
  return (provider >= 1 && provider <= PROVIDER_LAST_OF_RUN) || provider === PROVIDER_OTHER;
}

function areTotals({ promptTokens, completionTokens, totalTokens }: Charge): boolean {
  if (promptTokens < 0n || completionTokens < 0n || totalTokens < 0n) return false;
  const sum = promptTokens + completionTokens;
  return sum <= INT64_MAX && (totalTokens === 0n || totalTokens >= sum);
}

function arePartsOf(charge: Charge, details: TokenDetails): boolean {
  const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = details;
  const { reasoningTokens, audioInputTokens, audioOutputTokens } = details;
  return (
    cacheReadTokens >= 0n &&
    cacheWrite5mTokens >= 0n &&
    cacheWrite1hTokens >= 0n &&
    cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens <= charge.promptTokens &&
    audioInputTokens >= 0n &&
    audioInputTokens <= charge.promptTokens &&
    reasoningTokens >= 0n &&
    reasoningTokens <= charge.completionTokens &&
    audioOutputTokens >= 0n &&
    audioOutputTokens <= charge.completionTokens
  );
}

function areLabels(labels: ReadonlyMap<string, string>): boolean {
  if (labels.size > LABELS_MAX) return false;
  for (const [key, value] of labels) {
    if (key === '' || !isText(key, LABEL_KEY_MAX) || !isText(value, TEXT_MAX)) return false;
  }
  return true;
}

function isUsageTime(usageTime: Timestamp, nowMs: number): boolean {
  if (!isWellFormedTimestamp(usageTime)) return false;
  return Number(usageTime.seconds) * 1000 + usageTime.nanos / 1e6 <= nowMs + USAGE_AHEAD_MAX_MS;
}

/** At most `max` code points, none of them U+0000. */
function isText(text: string, max: number): boolean {
  const { length } = text;
  if (length > max && (length > 2 * max || codePoints(text) > max)) return false;
  return !text.includes('\0');
}

function codePoints(text: string): number {
  let count = text.length;
  // A text that was decoded from UTF-8 is well-formed: every low surrogate follows a high one.
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--;
  return count;
}

function isRequestId(text: string): boolean {
  const { length } = text;
  if (length === 0 || length > REQUEST_ID_MAX) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
