/** The commands that correct charges, and that show what was corrected. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addVoid } from './void.ts';

/** Adds the subcommands to the program. */
export function addCorrections(program: Command, run: RunCommand): void {
  addVoid(program, run);
}
