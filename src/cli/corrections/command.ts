/** The commands that correct charges, and that show what was corrected. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addAmend } from './amend.ts';
import { addClosePeriod } from './close-period.ts';
import { addHistory } from './history.ts';
import { addVoid } from './void.ts';

/** Adds the subcommands to the program. */
export function addCorrections(program: Command, run: RunCommand): void {
  for (const add of [addVoid, addAmend, addHistory, addClosePeriod]) add(program, run);
}
