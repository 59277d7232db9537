/** `charge profile …`: everything about user profiles. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addErase } from './erase.ts';

/** Adds the group to the program. */
export function addProfiles(program: Command, run: RunCommand): void {
  const profile = program
    .command('profile')
    .summary('erase a person')
    .description('Commands about user profiles: the people and programs that charges are billed to.');
  addErase(profile, run);
}
