/**
 * The contract's rules for CreateChargeRequest as one predicate: half a microsecond per request;
 * protovalidate takes 70 to 190. It only says yes or no; protovalidate then names the violations. A property
 * test checks that both give the same verdict.
 */

import type {
  CallOutcome,
  Charge,
  ChargeType,
  Provider,
  TokenDetails,
} from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import type { Money, Quantity, ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { isWellFormedTimestamp } from '../../grpc/timestamp.ts';
import { CURRENCY_CODES } from '../../prices/index.ts';
import { CHARGE_TYPE_COMPLETION, PROVIDER_OTHER } from '../charge.ts';

const INT64_MAX = 9_223_372_036_854_775_807n;
const TEXT_MAX = 255;
const LABELS_MAX = 16;
const LABEL_KEY_MAX = 63;
const REQUEST_ID_MAX = 128;
const USAGE_AHEAD_MAX_MS = 24 * 60 * 60 * 1000;
const REGION_MAX = 63;
const QUANTITIES_MAX = 8;
const QUANTITY_MAX = 1_000_000_000_000_000n;
const QUANTITY_KIND_FIRST: UsageKind = 20;
const QUANTITY_KIND_LAST: UsageKind = 26;
const SERVICE_TIER_LAST: ServiceTier = 4;
const CALL_OUTCOME_LAST: CallOutcome = 3;
const PROVIDER_LAST_OF_RUN: Provider = 18;
const CHARGE_TYPE_LAST: ChargeType = 3;
/** As protovalidate's rule for UUIDs: of any version, in either case. */
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** Whether the request satisfies every rule of the contract at `nowMs` (Unix time). */
export function isValidCreateChargeRequest(request: CreateChargeRequest, nowMs: number): boolean {
  const { charge, requestId, importId } = request;
  return (
    isRequestId(requestId) &&
    (importId === '' || UUID.test(importId)) &&
    charge !== undefined &&
    isValidCharge(charge, nowMs)
  );
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
    (charge.usageTime === undefined || isUsageTime(charge.usageTime, nowMs)) &&
    isOneOf(charge.serviceTier, SERVICE_TIER_LAST) &&
    isOneOf(charge.callOutcome, CALL_OUTCOME_LAST) &&
    (charge.region === '' || isText(charge.region, REGION_MAX)) &&
    (charge.quantities.length === 0 || areQuantities(charge.quantities)) &&
    (charge.reportedCost === undefined || isReportedCost(charge.reportedCost))
  );
}

function isOneOf(value: number, last: number): boolean {
  return value >= 0 && value <= last;
}

function areQuantities(quantities: readonly Quantity[]): boolean {
  return (
    quantities.length <= QUANTITIES_MAX &&
    quantities.every(
      ({ kind, amount }, index) =>
        kind >= QUANTITY_KIND_FIRST &&
        kind <= QUANTITY_KIND_LAST &&
        amount >= 1n &&
        amount <= QUANTITY_MAX &&
        quantities.findIndex((other) => other.kind === kind) === index,
    )
  );
}

function isReportedCost({ currencyCode, nanos }: Money): boolean {
  return nanos >= 0n && CURRENCY_CODES.has(currencyCode);
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
  const { imageInputTokens, imageOutputTokens } = details;
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
    audioOutputTokens <= charge.completionTokens &&
    imageInputTokens >= 0n &&
    imageInputTokens <= charge.promptTokens &&
    imageOutputTokens >= 0n &&
    imageOutputTokens <= charge.completionTokens
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
