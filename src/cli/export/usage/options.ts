/** The flags of `charge export usage` and their rules. */

import type { Command } from 'commander';
import { throwFaults } from '../../command.ts';
import { addGroupFlags, addScopeFlags, readGroups, readScope } from '../../usage/question-flags.ts';
import type { QuestionOptions } from '../../usage/question-flags.ts';
import { addFileFlags, readFileOptions, type FileOptions } from '../file-flags.ts';

/** What one export of sums is to do. */
export interface UsageExportOptions extends FileOptions, QuestionOptions {}

/** Every row of FOCUS names an account, a provider and a service. */
const FOCUS_GROUPS = ['user', 'provider', 'type'] as const;
const FOCUS_DEFAULTS = { by: [...FOCUS_GROUPS, 'model'], window: 'day' } as const;

/** Declares the flags, in the order and the groups of `--help`. */
export function addUsageExportFlags(command: Command): void {
  addFileFlags(command);
  addGroupFlags(command.optionsGroup('What has a sum (as in charge usage):'));
  addScopeFlags(command.optionsGroup('Which charges (all that are given must match):'));
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readUsageExportOptions(command: Command): UsageExportOptions {
  const faults: string[] = [];
  const file = readFileOptions(command, faults);
  const isFocus = file.format === 'focus';
  const groups = readGroups(command, faults, isFocus ? FOCUS_DEFAULTS : undefined);
  const options = { ...file, ...groups, ...readScope(command, groups.window, faults) };
  if (isFocus) checkFocus(options, faults);
  throwFaults(faults);
  return options;
}

function checkFocus({ dimensions, window, fill }: UsageExportOptions, faults: string[]): void {
  const missing = FOCUS_GROUPS.filter((needed) => !dimensions.some(({ name }) => name === needed));
  if (missing.length > 0)
    faults.push(`--by: every row of FOCUS has a ${missing.join(', a ')}: add ${missing.join(',')}`);
  if (window === 'week')
    faults.push('--window week: a row of FOCUS belongs to one month, and a week may belong to two');
  if (fill) faults.push('--fill: FOCUS has no rows without charges');
}
