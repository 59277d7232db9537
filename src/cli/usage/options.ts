/** The flags of `charge usage` and `charge top`. */

import type { Command } from 'commander';
import { readNumber, throwFaults } from '../command.ts';
import { addCommonFlags, readConnection, type Connection } from '../corrections/flags.ts';
import { quote } from '../import/values.ts';
import { readDimensions } from './dimensions.ts';
import { readMeasure, type Measure } from './measures.ts';
import { addScopeFlags, readGroups, readScope, type QuestionOptions } from './question-flags.ts';
import type { WindowName } from './windows.ts';

/** What one run is to show. */
export interface UsageOptions extends Connection, QuestionOptions {
  readonly csv?: boolean;
  /** `window`: by time. Undefined: what fits the output. */
  readonly order: Measure | 'window' | undefined;
  /** Undefined: the one with the highest amount. */
  readonly currency: string | undefined;
  /** Undefined: what fits the output. */
  readonly limit: number | undefined;
  /** Each row with its share of the total. */
  readonly withShares: boolean;
}

/** A table has at most so many rows. */
export const TABLE_ROWS_MAX = 10_000;
const LIMIT_MAX = 999_999_999;

/** Declares the flags that both commands have. */
export function addUsageFlags(command: Command): Command {
  addScopeFlags(command).option(
    '--currency <code>',
    'the currency whose costs are compared (default: that of the highest cost)',
  );
  return addCommonFlags(command).option('--csv', 'print CSV, one line for each row');
}

interface Flags {
  readonly currency?: string;
  readonly limit?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

/** Reads the flags of `charge usage`. Throws a UsageError with every fault. */
export function readUsageOptions(command: Command): UsageOptions {
  const { order: text } = command.opts<{ readonly order?: string }>();
  const faults: string[] = [];
  const groups = readGroups(command, faults);
  const order = text === 'window' ? ('window' as const) : readMeasure('--order', text, faults, ', window');
  if (groups.window === undefined && order === 'window') faults.push('--order window needs --window');
  const options = { ...readCommon(command, groups.window, faults), ...groups, order, withShares: false };
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
  return { ...common, dimensions, window: undefined, order, fill: false, withShares: true };
}

function readCommon(
  command: Command,
  window: WindowName | undefined,
  faults: string[],
  defaultLimit?: string,
) {
  const flags = command.opts<Flags>();
  const { csv = false, json = false, currency, limit = defaultLimit } = flags;
  const scope = readScope(command, window, faults);
  if (csv && json) faults.push('--json or --csv, not both');
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency))
    faults.push(`--currency: ${quote(currency)} is not an ISO 4217 code such as USD`);
  const limitMax = csv || json ? LIMIT_MAX : TABLE_ROWS_MAX;
  return {
    ...readConnection(command, faults),
    ...scope,
    csv,
    currency,
    limit: limit === undefined ? undefined : readNumber('--limit', limit, limitMax, faults),
  };
}
