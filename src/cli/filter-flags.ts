/** Which charges: flags that become a filter, the same for every command. */

import type { Command } from 'commander';
import { Provider } from '../../generated/charge/v1/charge.ts';
import type { ChargeFilter } from '../../generated/charge/v1/charge_service.ts';
import { readUuid } from './corrections/flags.ts';
import { parseChargeType, parseProvider, quote } from './import/values.ts';
import { ALL_CHARGES } from './lists.ts';

/** Collects the values of a flag that can be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** Declares the flags. */
export function addFilterFlags(command: Command): Command {
  return command
    .option('--user <id>', 'only this user profile')
    .option('--provider <name>', 'only this provider: openai, aws_bedrock, other')
    .option('--model <name>', 'only this model')
    .option('--type <name>', 'only this type of charge: completion, plugin, tool')
    .option('--session <key>', 'only this session')
    .option('--reference <text>', 'only this reference')
    .option('--label <key=value>', 'only charges with this label; can be repeated', collect)
    .option('--profile-label <key=value>', 'only charges whose user profile has this label now', collect)
    .option('--import <id>', 'only charges that this import recorded');
}

type Flags = Partial<
  Record<'user' | 'provider' | 'model' | 'type' | 'session' | 'reference' | 'import', string>
> & { readonly label?: readonly string[]; readonly profileLabel?: readonly string[] };

/** Reads the flags. The range of time is not among them. */
export function readFilter(command: Command, faults: string[]): ChargeFilter {
  const flags = command.opts<Flags>();
  const text = (name: 'user' | 'model' | 'session' | 'reference'): string => {
    if (flags[name] === '') faults.push(`--${name}: it is empty; without the flag, all charges are meant`);
    return flags[name] ?? '';
  };
  return {
    ...ALL_CHARGES,
    userProfile: text('user'),
    model: text('model'),
    sessionKey: text('session'),
    reference: text('reference'),
    provider: readProvider(flags.provider, faults),
    chargeType: readType(flags.type, faults),
    labels: readLabels('--label', flags.label ?? [], faults),
    userProfileLabels: readLabels('--profile-label', flags.profileLabel ?? [], faults),
    importId: flags.import === undefined ? '' : readUuid(flags.import, 'an import', faults),
  };
}

/** Whether one of these flags was given: the range of time is not among them. */
export function hasFilter(filter: ChargeFilter): boolean {
  return Object.entries(filter).some(([name, value]) => {
    if (name === 'startTime' || name === 'endTime') return false;
    return value instanceof Map ? value.size > 0 : Boolean(value);
  });
}

function readProvider(text: string | undefined, faults: string[]) {
  const provider = text === undefined ? 0 : parseProvider(text);
  if (provider !== undefined) return provider;
  const names = Object.entries(Provider).filter(([, number]) => number > 0);
  faults.push(
    `--provider: ${quote(text ?? '')} is none of ${names.map(([name]) => name.replace('PROVIDER_', '').toLowerCase()).join(', ')}`,
  );
  return 0;
}

function readType(text: string | undefined, faults: string[]) {
  const type = text === undefined ? 0 : parseChargeType(text);
  if (type === undefined) faults.push(`--type: ${quote(text ?? '')} is none of completion, plugin, tool`);
  return type ?? 0;
}

/** Reads pairs such as `team=search`. */
export function readLabels(flag: string, texts: readonly string[], faults: string[]): Map<string, string> {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/su.exec(text) ?? [];
    if (key === '') faults.push(`${flag}: ${quote(text)} is not KEY=VALUE`);
    else if (labels.has(key)) faults.push(`${flag}: ${quote(key)} is given twice`);
    else labels.set(key, value);
  }
  return labels;
}
