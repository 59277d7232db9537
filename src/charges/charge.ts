/**
 * What a charge is, apart from how it travels and how it is stored.
 *
 * Token counts are bigint and times are microseconds since the Unix epoch as bigint: neither ever
 * passes through a float.
 */

import type { Cost, Money, UsageDetails } from '../prices/index.ts';

/** Numbers of the contract's enums that rules depend on. */
export const PROVIDER_OTHER = 100;
export const CHARGE_TYPE_COMPLETION = 1;
export const SERVICE_TIER_STANDARD = 1;

/** Numbers of `charge.v1.ChargeState`. */
export const CHARGE_STATE = { active: 1, voided: 2, amended: 3 } as const;

/** The parts of the token counts that providers price differently; each at least 0. */
export type TokenDetails = UsageDetails;

/** What the caller says about a charge. An empty text means that the caller left the field out. */
export interface ChargeContent {
  readonly userProfile: string;
  readonly sessionKey: string;
  readonly provider: number;
  readonly otherProvider: string;
  readonly chargeType: number;
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
  /** At least the sum of the two above. An absent total was replaced by that sum. */
  readonly totalTokens: bigint;
  readonly tokenDetails: TokenDetails | undefined;
  readonly model: string;
  readonly reference: string;
  readonly labels: ReadonlyMap<string, string>;
  /** When the usage happened; undefined: the caller left it to the server. */
  readonly usageTimeMicros: bigint | undefined;
  /** A number of `charge.v1.ServiceTier`; never unspecified. */
  readonly serviceTier: number;
  readonly region: string;
  /** Amounts by the number of their `charge.v1.UsageKind`. */
  readonly quantities: ReadonlyMap<number, bigint>;
  readonly reportedCost: Money | undefined;
  /** A number of `charge.v1.CallOutcome`; 0: unknown. */
  readonly callOutcome: number;
}

/** What became of a charge after it was recorded. */
export interface ChargeStatus {
  /** One of {@link CHARGE_STATE}. */
  readonly state: number;
  /** The id of the charge that took its place; empty: none. */
  readonly replacedBy: string;
  /** How often it was repriced. */
  readonly revision: number;
  readonly updateTimeMicros: bigint;
}

/** A stored charge, with the cost that it was recorded with or, if it has a status, with its latest cost. */
export interface Charge extends Omit<ChargeContent, 'usageTimeMicros'>, Cost {
  /** UUIDv7 in its 36-character text form. */
  readonly id: string;
  readonly usageTimeMicros: bigint;
  readonly createTimeMicros: bigint;
  /** The id of the charge that it replaces; empty: none. */
  readonly amends: string;
  /** The import that recorded it, or that recorded the charge that it replaces; empty: none. */
  readonly importId: string;
  /** Undefined: nothing has happened to it since it was recorded, or that is of no interest. */
  readonly status?: ChargeStatus | undefined;
}

/** How a charge was corrected. */
export interface Correction {
  /** UUIDv7; also the id of the event. */
  readonly id: string;
  /** The number of the event. */
  readonly sequence: bigint;
  /** The charge that was corrected. */
  readonly chargeId: string;
  /** VOIDED or AMENDED, of `CHARGE_STATE`. */
  readonly state: number;
  readonly reason: string;
  readonly createTimeMicros: bigint;
  /** The charge that took its place; empty: it was voided. */
  readonly replacementId: string;
  /** Whether the usage time lay in a closed period. */
  readonly closedPeriod: boolean;
}

/** A closed period: who corrects a charge with a usage time in it must say that this is intended. */
export interface ClosedPeriod {
  /** Every usage time before it belongs to the period. */
  readonly endTimeMicros: bigint;
  /** The last number of the journal when it was closed. */
  readonly sequence: bigint;
}

/** What a request to archive charges did. */
export interface ArchivedCharges {
  /** Charges that this call archived. */
  readonly archived: number;
  /** Charges of the call that were archived before. */
  readonly alreadyArchived: number;
  /** The last number of the journal that can no longer be read. */
  readonly sequence: bigint;
}

/** A request to record a charge, valid by the contract's rules. */
export interface ChargeRequest {
  readonly requestId: string;
  readonly content: ChargeContent;
  /** The import that it is part of; empty: none. Not part of the content. */
  readonly importId?: string | undefined;
  /** W3C trace context of the caller, passed on with the event; not part of the content. */
  readonly traceparent?: string | undefined;
}

/** How a request names a charge. */
export type ChargeKey = { readonly id: string } | { readonly requestId: string };

/** A request to take a charge out of all totals. */
export interface VoidRequest {
  readonly kind: 'void';
  readonly key: ChargeKey;
  readonly requestId: string;
  readonly reason: string;
  readonly allowClosedPeriod: boolean;
  /** W3C trace context of the caller, passed on with the event. */
  readonly traceparent?: string | undefined;
}

/** A request to put another charge in the place of one. */
export interface AmendRequest extends Omit<VoidRequest, 'kind'> {
  readonly kind: 'amend';
  /** The replacement. Without a usage time, it has that of the original. */
  readonly content: ChargeContent;
}

/** What became of one request. Rejections for invalid content happen before the domain. */
export type RecordResult =
  | { readonly outcome: 'created'; readonly charge: Charge }
  | { readonly outcome: 'replayed'; readonly charge: Charge }
  | {
      readonly outcome: 'conflict';
      readonly requestId: string;
      /** The charge that the request id made. */
      readonly chargeId: string;
      /** Whose charge that is; undefined: it is archived, and that is not known any more. */
      readonly userProfile: string | undefined;
      /** The first field that differs, as a path from `Charge` in proto spelling; undefined: the charge is archived. */
      readonly field: string | undefined;
    }
  /** The same request made a charge that is archived. */
  | { readonly outcome: 'archived'; readonly chargeId: string }
  /** The tenant refuses charges of user profiles that are unknown or disabled, and this is one. */
  | {
      readonly outcome: 'refused';
      readonly userProfile: string;
      readonly fault: 'unknown' | 'disabled';
    }
  /** The request id made a charge whose user profile was erased, with this content or another one. */
  | { readonly outcome: 'erased'; readonly requestId: string; readonly chargeId: string };

/** Which charges are meant; undefined or empty members do not restrict. Times: start inclusive, end exclusive. */
export interface ChargeFilter {
  readonly userProfile?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly provider?: number | undefined;
  readonly chargeType?: number | undefined;
  readonly model?: string | undefined;
  readonly reference?: string | undefined;
  readonly importId?: string | undefined;
  readonly labels?: ReadonlyMap<string, string> | undefined;
  /** Labels of the user profile of the charge, as they are at the moment of the question. */
  readonly userProfileLabels?: ReadonlyMap<string, string> | undefined;
  readonly startTimeMicros?: bigint | undefined;
  readonly endTimeMicros?: bigint | undefined;
}

/** The place of a charge in a list: lists are ordered by usage time, then id. */
export interface ListPosition {
  readonly usageTimeMicros: bigint;
  readonly id: string;
}
