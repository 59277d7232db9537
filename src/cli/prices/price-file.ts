/** What a file of prices becomes, whatever its format. */

import type { Price } from '../../../generated/charge/v1/price_service.ts';

/** A price of a file, ready to be compared with what is in force. */
export interface FilePrice {
  /** `source` says where it comes from. Without `effectiveTime`, the import decides. */
  readonly price: Price;
  /** Where it stands in the file, for people: the name of an entry, or `line 7`. */
  readonly origin: string;
}

/** Names of entries for each reason, in the order of the file. */
export type NamesByReason = ReadonlyMap<string, readonly string[]>;

/** A file of prices after the conversion. */
export interface PriceFile {
  readonly format: 'litellm' | 'csv' | 'json';
  /** `source` of every price from files of this format begins like this. */
  readonly sourcePrefix: string;
  /** Entries of a catalogue, rows of a CSV file or prices of a JSON file. */
  readonly entries: number;
  readonly prices: readonly FilePrice[];
  /** What happened on the way. Only catalogues have anything here but `rounded`. */
  readonly notes: ConversionNotes;
}

/** What a person should know about a conversion. */
export interface ConversionNotes {
  /** Entries without a price that could be imported, by the reason. */
  readonly leftOut: NamesByReason;
  /** Prices of imported entries that no usage kind stands for, by their names in the file. */
  readonly ignored: NamesByReason;
  /** Prices that repeat the price of another entry. */
  readonly sameAgain: readonly Collision[];
  /** Prices of one key that differ: only that of `kept` is imported. */
  readonly conflicts: readonly Collision[];
  /** Prices that are finer than a rate can be. */
  readonly rounded: readonly Rounded[];
  /** Long-context tiers that lack rates of the base, which they took over. */
  readonly copied: readonly Copied[];
}

/** Two entries with one key. */
export interface Collision {
  readonly entry: string;
  readonly kept: string;
  /** The key, for people. */
  readonly key: string;
}

/** A value that lost digits. */
export interface Rounded {
  readonly origin: string;
  readonly field: string;
  readonly text: string;
  readonly nanosPerMillion: bigint;
}

/** Rates that a tier took from the base. */
export interface Copied {
  readonly entry: string;
  readonly abovePromptTokens: bigint;
  /** Names of the kinds. */
  readonly kinds: readonly string[];
}

/** Notes about nothing, for formats that have nothing of the kind. */
export const NO_NOTES: ConversionNotes = {
  leftOut: new Map(),
  ignored: new Map(),
  sameAgain: [],
  conflicts: [],
  rounded: [],
  copied: [],
};

/** Adds a name to the list of its reason. */
export function addName(names: Map<string, string[]>, reason: string, name: string): void {
  const list = names.get(reason);
  if (list) list.push(name);
  else names.set(reason, [name]);
}
