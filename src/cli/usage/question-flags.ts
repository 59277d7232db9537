/** The flags that make a question: what is summed, and over which charges. */

import type { Command } from 'commander';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import { addFilterFlags, collect, readFilter } from '../filter-flags.ts';
import { quote } from '../import/values.ts';
import { DIMENSION_NAMES, readDimensions, type Dimension } from './dimensions.ts';
import { readUsageRange, type Range, type RangeFlags } from './range.ts';
import { readWindow, WINDOW_NAMES, type WindowName } from './windows.ts';
import { readZone } from './zone.ts';

/** A question about sums. */
export interface QuestionOptions {
  /** Empty: windows alone. */
  readonly dimensions: readonly Dimension[];
  /** Undefined: the whole range at once. */
  readonly window: WindowName | undefined;
  /** Also windows without charges. */
  readonly fill: boolean;
  /** Which charges, with the range of time. */
  readonly filter: ChargeFilter;
  readonly range: Range;
  readonly zone: string;
  /** Undefined: the last sequence of the journal. */
  readonly asOf: bigint | undefined;
}

const INT64_MAX = 9_223_372_036_854_775_807n;

/** Declares the flags that say what has a sum of its own. */
export function addGroupFlags(command: Command): Command {
  return command
    .option('--by <names>', `a row for each of these: ${DIMENSION_NAMES}; several: --by user,model`, collect)
    .option('--window <name>', `a sum for each of these windows: ${WINDOW_NAMES}`)
    .option('--fill', 'with --window: also rows for windows without charges');
}

/** Declares the flags that say which charges are summed, and as of when. */
export function addScopeFlags(command: Command): Command {
  command
    .option('--last <time>', 'the last 12h, 30d, 8w or 3mo up to now (default: 30d)')
    .option('--from <date>', 'usage from this moment on, instead of --last')
    .option('--to <date>', 'usage before this moment')
    .option('--zone <name>', "the time zone of days and dates: Europe/Berlin (default: this machine's)")
    .option('--as-of <sequence>', 'what was true as of this sequence of the journal (default: the last one)');
  return addFilterFlags(command);
}

/** What is grouped by if no flag says it. */
interface Defaults {
  readonly by: readonly string[];
  readonly window: WindowName;
}

/** Reads the flags of {@link addGroupFlags}. Without `defaults` and flags, rows are by model. */
export function readGroups(command: Command, faults: string[], defaults?: Defaults) {
  const flags = command.opts<{ by?: readonly string[]; window?: string; fill?: boolean }>();
  const window = readWindow(flags.window ?? defaults?.window, faults);
  // A window alone is a question, too: all usage of each day.
  const by = flags.by ?? defaults?.by ?? (flags.window === undefined ? ['model'] : []);
  const dimensions = readDimensions('--by', by, faults);
  const { fill = false } = flags;
  if (flags.window === undefined && !defaults && fill) faults.push('--fill needs --window');
  return { dimensions, window, fill };
}

/** Reads the flags of {@link addScopeFlags}. */
export function readScope(command: Command, window: WindowName | undefined, faults: string[]) {
  const flags = command.opts<RangeFlags & { zone?: string; asOf?: string }>();
  const zone = readZone(flags.zone, faults);
  const range = readUsageRange(flags, window, zone, faults);
  const filter = { ...readFilter(command, faults), startTime: range.from, endTime: range.to };
  return { zone, range, filter, asOf: readSequence(flags.asOf, faults) };
}

function readSequence(text: string | undefined, faults: string[]): bigint | undefined {
  if (text === undefined) return undefined;
  const sequence = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (sequence < 0n || sequence > INT64_MAX)
    faults.push(`--as-of: ${quote(text)} is not a sequence of the journal, a whole number from 0`);
  return sequence;
}
