/** `charge.v1.Charge` and the domain's charges: the only bridge between the two. */

import type {
  Charge as ProtoCharge,
  ChargeType,
  Provider,
  TokenDetails as ProtoTokenDetails,
} from '../../generated/charge/v1/charge.ts';
import type { Charge, ChargeContent, TokenDetails } from './charge.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../grpc/timestamp.ts';

/**
 * What a caller says about a charge. For messages that satisfy the contract's rules; the fields
 * that the server sets are left aside, and an absent total becomes the sum of its parts.
 */
export function fromProtoCharge(charge: ProtoCharge): ChargeContent {
  return {
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey,
    provider: charge.provider,
    otherProvider: charge.otherProvider,
    chargeType: charge.chargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens:
      charge.totalTokens === 0n ? charge.promptTokens + charge.completionTokens : charge.totalTokens,
    tokenDetails: fromProtoTokenDetails(charge.tokenDetails),
    model: charge.model,
    reference: charge.reference,
    labels: charge.labels,
    usageTimeMicros: charge.usageTime && fromProtoTimestamp(charge.usageTime),
  };
}

/** The message of a stored charge. A charge never changes: its update time is its create time. */
export function toProtoCharge(charge: Charge): ProtoCharge {
  const createTime = toProtoTimestamp(charge.createTimeMicros);
  return {
    id: charge.id,
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey,
    // The contract's rules let only defined values in, and stored values never change.
    provider: charge.provider as Provider,
    otherProvider: charge.otherProvider,
    chargeType: charge.chargeType as ChargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens: charge.totalTokens,
    tokenDetails: toProtoTokenDetails(charge.tokenDetails),
    model: charge.model,
    reference: charge.reference,
    // ts-proto only reads it while encoding; copying a map per charge would buy nothing.
    labels: charge.labels as Map<string, string>,
    usageTime: toProtoTimestamp(charge.usageTimeMicros),
    createTime,
    updateTime: createTime,
  };
}

function fromProtoTokenDetails(details: ProtoTokenDetails | undefined): TokenDetails | undefined {
  return (
    details && {
      cacheReadTokens: details.cacheReadTokens,
      cacheWrite5mTokens: details.cacheWrite5mTokens,
      cacheWrite1hTokens: details.cacheWrite1hTokens,
      reasoningTokens: details.reasoningTokens,
      audioInputTokens: details.audioInputTokens,
      audioOutputTokens: details.audioOutputTokens,
    }
  );
}

function toProtoTokenDetails(details: TokenDetails | undefined): ProtoTokenDetails | undefined {
  return (
    details && {
      cacheReadTokens: details.cacheReadTokens,
      cacheWrite5mTokens: details.cacheWrite5mTokens,
      cacheWrite1hTokens: details.cacheWrite1hTokens,
      reasoningTokens: details.reasoningTokens,
      audioInputTokens: details.audioInputTokens,
      audioOutputTokens: details.audioOutputTokens,
    }
  );
}
