/** A charge in the making, and what puts the text of a cell into it. */

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type { UsageKind } from '../../../generated/charge/v1/money.ts';

/** A charge in the making. */
export interface Draft {
  readonly charge: Charge;
  /** `--other-providers`: a provider that the contract does not name becomes PROVIDER_OTHER of that name. */
  readonly otherProviders: boolean | undefined;
  /** Names of the fields that have a value. */
  readonly filled: Set<string>;
  /** Tokens written to a cache whose lifetime the file does not say. They count, but are no token detail. */
  cacheWriteTokens: bigint;
  /** Of traces that count their time from 0: the distance to their start. */
  offsetMs?: number;
  /** What was used that is not counted in tokens, by its kind. */
  readonly quantities: Map<UsageKind, bigint>;
  /** The reported cost, in billionths. Its currency may stand in another column. */
  reportedNanos?: bigint;
  /** The reported cost had more than 9 decimals. */
  isCostRounded?: boolean;
  currency?: string;
}

/** Reports what is wrong with a cell, as the end of a sentence that begins with the field. */
export type Fail = (rule: string, description: string) => void;

/** Puts the text of a cell, which is not empty, into the draft, or reports why it cannot. */
export type Reader = (draft: Draft, text: string, fail: Fail) => void;

/** Puts a count into the draft. */
export type SetCount = (draft: Draft, count: bigint) => void;
