/** The flags of `charge usage` and `charge top`. */

import type { Command } from 'commander';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import { readNumber, throwFaults } from '../command.ts';
import { addCommonFlags, readConnection, type Connection } from '../corrections/flags.ts';
import { quote } from '../import/values.ts';
import { readDimensions, type Dimension } from './dimensions.ts';
import { addFilterFlags, readFilter } from '../filter-flags.ts';
import { readMeasure, type Measure } from './measures.ts';
import { readUsageRange, type Range, type RangeFlags } from './range.ts';
import { readWindow, type WindowName } from './windows.ts';
import { readZone } from './zone.ts';

/** What one run is to show. */
export interface UsageOptions extends Connection {
  readonly csv?: boolean;
  /** Empty: windows alone. */
  readonly dimensions: readonly Dimension[];
  /** Undefined: the whole range at once. */
  readonly window: WindowName | undefined;
  /** Which charges, with the range of time. */
  readonly filter: ChargeFilter;
  readonly range: Range;
  readonly zone: string;
  /** `window`: by time. Undefined: what fits the output. */
  readonly order: Measure | 'window' | undefined;
  /** Undefined: the one with the highest amount. */
  readonly currency: string | undefined;
  /** Undefined: what fits the output. */
  readonly limit: number | undefined;
  readonly fill: boolean;
  /** Undefined: the last sequence of the journal. */
  readonly asOf: bigint | undefined;
  /** Each row with its share of the total. */
  readonly withShares: boolean;
}

/** A table has at most so many rows. */
export const TABLE_ROWS_MAX = 10_000;
const LIMIT_MAX = 999_999_999;
const INT64_MAX = 9_223_372_036_854_775_807n;

/** Declares the flags that both commands have. */
export function addUsageFlags(command: Command): Command {
  command
    .option('--last <time>', 'the last 12h, 30d, 8w or 3mo up to now (default: 30d)')
    .option('--from <date>', 'usage from this moment on, instead of --last')
    .option('--to <date>', 'usage before this moment')
    .option('--zone <name>', "the time zone of days and dates: Europe/Berlin (default: this machine's)")
    .option('--currency <code>', 'the currency whose costs are compared (default: that of the highest cost)')
    .option('--as-of <sequence>', 'what was true as of this sequence of the journal (default: the last one)');
  addFilterFlags(command);
  return addCommonFlags(command).option('--csv', 'print CSV, one line for each row');
}

interface Flags extends RangeFlags {
  readonly zone?: string;
  readonly currency?: string;
  readonly limit?: string;
  readonly asOf?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

interface UsageFlags extends Flags {
  readonly by?: readonly string[];
  readonly window?: string;
  readonly order?: string;
  readonly fill?: boolean;
}

/** Reads the flags of `charge usage`. Throws a UsageError with every fault. */
export function readUsageOptions(command: Command): UsageOptions {
  const flags = command.opts<UsageFlags>();
  const faults: string[] = [];
  const window = readWindow(flags.window, faults);
  // A window alone is a question, too: all usage of each day.
  const by = flags.by ?? (flags.window === undefined ? ['model'] : []);
  const dimensions = readDimensions('--by', by, faults);
  const { order: orderText, fill = false } = flags;
  const order =
    orderText === 'window' ? ('window' as const) : readMeasure('--order', orderText, faults, ', window');
  if (flags.window === undefined && order === 'window') faults.push('--order window needs --window');
  if (flags.window === undefined && fill) faults.push('--fill needs --window');
  const options = { ...readCommon(command, window, faults), dimensions, order, fill, withShares: false };
  throwFaults(faults);
  return options;
}

const TOP_LIMIT = '10';

/** Reads the flags of `charge top`. Throws a UsageError with every fault. */
export function readTopOptions(command: Command): UsageOptions {
  const flags = command.opts<Flags & { readonly by?: string }>();
  const faults: string[] = [];
  const dimensions = readDimensions('charge top', command.args, faults);
  if (command.args.length === 0)
    faults.push('say of what: users, models, providers, sessions, regions or labels:KEY');
  const order = readMeasure('--by', flags.by, faults);
  const common = readCommon(command, undefined, faults, TOP_LIMIT);
  throwFaults(faults);
  return { ...common, dimensions, order, fill: false, withShares: true };
}

function readCommon(
  command: Command,
  window: WindowName | undefined,
  faults: string[],
  defaultLimit?: string,
) {
  const flags = command.opts<Flags>();
  const { csv = false, json = false, currency, limit = defaultLimit } = flags;
  const zone = readZone(flags.zone, faults);
  const range = readUsageRange(flags, window, zone, faults);
  if (csv && json) faults.push('--json or --csv, not both');
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency))
    faults.push(`--currency: ${quote(currency)} is not an ISO 4217 code such as USD`);
  const limitMax = csv || json ? LIMIT_MAX : TABLE_ROWS_MAX;
  return {
    ...readConnection(command, faults),
    csv,
    window,
    zone,
    range,
    filter: { ...readFilter(command, faults), startTime: range.from, endTime: range.to },
    currency,
    limit: limit === undefined ? undefined : readNumber('--limit', limit, limitMax, faults),
    asOf: readSequence(flags.asOf, faults),
  };
}

function readSequence(text: string | undefined, faults: string[]): bigint | undefined {
  if (text === undefined) return undefined;
  const sequence = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (sequence < 0n || sequence > INT64_MAX)
    faults.push(`--as-of: ${quote(text)} is not a sequence of the journal, a whole number from 0`);
  return sequence;
}
