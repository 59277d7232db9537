/** Flags that several of the commands about prices have. */

import type { Command } from 'commander';
import { DEFAULT_LISTEN } from '../../config.ts';
import { readAddress } from '../command.ts';

/** The value of `--address` as an address that can be called. */
export function readAddressOf(command: Command, faults: string[]): string {
  const source = command.getOptionValueSource('address') === 'cli' ? '--address' : 'LISTEN';
  return readAddress(command.opts<{ address: string }>().address, source, faults);
}

/** Refuses arguments that a command does not take. Commander's own check would end at the first fault. */
export function refuseArguments(command: Command, faults: string[]): void {
  if (command.args.length > 0) faults.push(`unexpected: ${command.args.join(' ')}`);
}

/** A word for a shell: quoted if it has to be. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command of this program as a person types it. */
export function commandLine(args: readonly string[], address: string): string {
  const place = address === DEFAULT_LISTEN ? [] : ['--address', address];
  return ['npx', 'charge', ...args, ...place].map(shellWord).join(' ');
}
