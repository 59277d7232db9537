/** Questions about usage, and their answers. */

import type { ChargeFilter } from '../charges/index.ts';

/** Numbers of `charge.v1.UsageDimension`. */
export const DIMENSION = {
  userProfile: 1,
  provider: 2,
  model: 3,
  chargeType: 4,
  sessionKey: 5,
  reference: 6,
  serviceTier: 7,
  region: 8,
  callOutcome: 9,
} as const;

/** Numbers of `charge.v1.UsageWindow`. */
export const WINDOW = { none: 0, quarterHour: 1, hour: 2, day: 3, week: 4, month: 5 } as const;

/** Numbers of `charge.v1.UsageOrder`. */
export const ORDER = {
  window: 1,
  charges: 2,
  totalTokens: 3,
  promptTokens: 4,
  completionTokens: 5,
  cost: 6,
  reportedCost: 7,
  unpricedCharges: 8,
} as const;

/** A question, valid by the contract's rules. */
export interface UsageQuery {
  /** With both times if there is a window. */
  readonly filter: ChargeFilter;
  /** Numbers of {@link DIMENSION}, each at most once. */
  readonly groupBy: readonly number[];
  readonly groupByLabels: readonly string[];
  readonly groupByUserProfileLabels: readonly string[];
  /** One of {@link WINDOW}. */
  readonly window: number;
  /** An IANA name that exists. */
  readonly timeZone: string;
  /** One of {@link ORDER}. */
  readonly orderBy: number;
  /** For an order by cost. */
  readonly currencyCode: string;
  readonly fill: boolean;
  /** Fields of `charge.v1.UsageRow` whose sums are wanted; empty: all. */
  readonly readMask: readonly string[];
  /** Undefined: the last number of the journal. */
  readonly asOfSequence: bigint | undefined;
}

/** Sums of one group in one window. */
export interface UsageRow {
  /** The number of the window, from 1 on; 1 if there are no windows. */
  readonly window: number;
  /** Its values: those of the dimensions (PROVIDER has two), of the labels, and of the labels of user profiles. */
  readonly group: readonly GroupValue[];
  /** What the rows are ordered by, before window and group; 0 if by window. */
  readonly measure: bigint;
  readonly sums: UsageSums;
  /** Billionths of its unit by currency. */
  readonly costs: ReadonlyMap<string, bigint>;
  readonly reportedCosts: ReadonlyMap<string, bigint>;
}

/** A text, or the number of an enum's value. */
export type GroupValue = string | number;

/** The place of a row in its answer. */
export type UsagePlace = Pick<UsageRow, 'window' | 'group' | 'measure'>;

/** The sums that have one number each; the names are those of the columns. */
export const SUM_COLUMNS = [
  'charges',
  'unpriced_charges',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_output_tokens',
  'search_queries',
  'input_images',
  'output_images',
  'input_milliseconds',
  'output_milliseconds',
  'input_characters',
  'output_characters',
] as const;

/** Sums that have an amount for each currency. */
const AMOUNT_COLUMNS = ['cost_nanos', 'reported_cost_nanos'] as const;

type SumColumn = (typeof SUM_COLUMNS)[number] | (typeof AMOUNT_COLUMNS)[number];

/** Sums by column. */
export type UsageSums = Readonly<Record<(typeof SUM_COLUMNS)[number], bigint>>;

/** The column of each kind of quantity, by its number in `charge.v1.UsageKind`. */
export const QUANTITY_COLUMNS = new Map([
  [20, 'search_queries'],
  [21, 'input_images'],
  [22, 'output_images'],
  [23, 'input_milliseconds'],
  [24, 'output_milliseconds'],
  [25, 'input_characters'],
  [26, 'output_characters'],
] as const);

/** The columns behind the fields of `charge.v1.UsageRow` that are not called like their column. */
const COLUMNS_OF_FIELD: Readonly<Partial<Record<string, readonly SumColumn[]>>> = {
  token_details: SUM_COLUMNS.slice(
    SUM_COLUMNS.indexOf('cache_read_tokens'),
    SUM_COLUMNS.indexOf('search_queries'),
  ),
  quantities: [...QUANTITY_COLUMNS.values()],
  costs: ['cost_nanos'],
  reported_costs: ['reported_cost_nanos'],
};

/** The field of `charge.v1.UsageRow` that rows are ordered by. */
const FIELD_OF_ORDER: Readonly<Record<number, string>> = {
  [ORDER.totalTokens]: 'total_tokens',
  [ORDER.promptTokens]: 'prompt_tokens',
  [ORDER.completionTokens]: 'completion_tokens',
  [ORDER.cost]: 'costs',
  [ORDER.reportedCost]: 'reported_costs',
  [ORDER.unpricedCharges]: 'unpriced_charges',
};

/** The columns that an answer sums up. The number of charges tells whether there is a row. */
export function columnsOf({ readMask, orderBy }: UsageQuery): ReadonlySet<string> {
  if (readMask.length === 0) return new Set([...SUM_COLUMNS, ...AMOUNT_COLUMNS]);
  const fields = ['charges', ...readMask, FIELD_OF_ORDER[orderBy] ?? 'charges'];
  return new Set(fields.flatMap<string>((field) => COLUMNS_OF_FIELD[field] ?? field));
}
