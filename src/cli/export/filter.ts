/** The flags that say which charges are meant. */

import type { Command } from 'commander';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import { readUuid } from '../corrections/flags.ts';
import { parseChargeType, parseProvider } from '../import/values.ts';
import { ALL_CHARGES } from '../lists.ts';
import { readRange } from '../time.ts';

interface FilterFlags {
  readonly from?: string;
  readonly to?: string;
  readonly user?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly type?: string;
  readonly model?: string;
  readonly reference?: string;
  readonly import?: string;
  readonly label?: string[];
}

/** Declares the flags. */
export function addFilterFlags(command: Command): void {
  command
    .option('--from <time>', 'usage from this moment on: 2026-09-01, or 2026-09-01T10:00:00+02:00')
    .option('--to <time>', 'usage before this moment')
    .option('--user <profile>', 'this user profile')
    .option('--session <key>', 'this session')
    .option('--provider <name>', 'this provider: openai, anthropic, …')
    .option('--type <name>', 'completion, plugin or tool')
    .option('--model <name>', 'this model')
    .option('--reference <text>', 'this reference')
    .option('--import <id>', 'what this import recorded')
    .option(
      '--label <key=value>',
      'with this label; can be repeated',
      (pair: string, before: string[] = []) => [...before, pair],
    );
}

/** Reads the flags. What is not given does not restrict. */
export function readFilter(command: Command, faults: string[]): ChargeFilter {
  const flags = command.opts<FilterFlags>();
  for (const name of ['user', 'session', 'model', 'reference'] as const)
    if (flags[name] === '') faults.push(`--${name}: is empty; without the flag, all charges are meant`);
  const { from, to } = readRange(flags, faults);
  return {
    ...ALL_CHARGES,
    userProfile: flags.user ?? '',
    sessionKey: flags.session ?? '',
    provider: readName('--provider', flags.provider, parseProvider, 'a provider of the contract', faults),
    chargeType: readName('--type', flags.type, parseChargeType, 'completion, plugin or tool', faults),
    model: flags.model ?? '',
    reference: flags.reference ?? '',
    importId: flags.import === undefined ? '' : readUuid(flags.import, 'an import', faults),
    labels: readLabels(flags.label ?? [], faults),
    startTime: from,
    endTime: to,
  };
}

function readName<T extends number>(
  flag: string,
  text: string | undefined,
  parse: (text: string) => T | undefined,
  expected: string,
  faults: string[],
): T {
  const value = text === undefined ? 0 : parse(text);
  if (value === undefined) faults.push(`${flag}: ${JSON.stringify(text)} is not ${expected}`);
  return (value ?? 0) as T;
}

function readLabels(pairs: readonly string[], faults: string[]): Map<string, string> {
  const labels = new Map<string, string>();
  for (const pair of pairs) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (key === '') faults.push(`--label: expected KEY=VALUE, not ${pair}`);
    else if (labels.has(key)) faults.push(`--label: ${key} is given twice`);
    else labels.set(key, value);
  }
  return labels;
}
