/** `charge profile erase`: erases a person, and keeps the sums. */

import type { Command } from 'commander';
import { QueryUsageRequest, UsageServiceService } from '../../../generated/charge/v1/usage_service.ts';
import { UserProfileServiceService } from '../../../generated/charge/v1/user_profile_service.ts';
import { EXIT, throwFaults, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { addCommonFlags, readConnection } from '../corrections/flags.ts';
import { group, startProgress } from '../progress.ts';
import { type Session, withSession } from '../session.ts';

/** Adds the subcommand to `charge profile`. */
export function addErase(profile: Command, run: RunCommand): void {
  const command = profile
    .command('erase')
    .summary('erase a person, and keep the sums')
    .description(
      'Replaces a user profile by a pseudonym in every charge, removes session keys, references and labels of these ' +
        'charges, and deletes the user profile. Sums and costs stay.',
    )
    .argument('<id>', 'the user profile, as charges name it')
    .option('--dry-run', 'erase nothing, and tell what there is')
    .option('--yes', 'do not ask')
    .addHelpText('after', HELP)
    .action((id: string) => run((interrupt) => runErase(command, id, interrupt)));
  addCommonFlags(command);
}

const HELP = `
Nobody can undo it. If the command is interrupted, run it again: it goes on. So does a second run for charges that came
later, under the same pseudonym. docs/erasure.md tells what remains outside of the service, and what to do about it.

Exit status: 0 erased · 1 the service refused: see the message · 2 wrong flags, or no agreement: nothing was erased
3 the service did not answer; run the same command again
`;

interface Erased {
  pseudonym: string;
  charges: number;
}

function runErase(command: Command, id: string, interrupt: AbortSignal): Promise<number> {
  const { dryRun, yes } = command.opts<{ readonly dryRun?: boolean; readonly yes?: boolean }>();
  const faults: string[] = [];
  const length = [...id].length;
  if (length < 1 || length > 255) faults.push('the id of a user profile has 1 to 255 characters');
  const connection = readConnection(command, faults);
  throwFaults(faults);
  return withSession(connection, interrupt, async (session) => {
    const { charges, tokens } = await look(session, id);
    process.stderr.write(`${id}: ${group(charges)} charges that count, with ${group(tokens)} tokens.\n`);
    if (dryRun) {
      if (connection.json) print({ status: 'dry_run', charges: String(charges) });
      return EXIT.ok;
    }
    await agree(`Erase ${id}? This cannot be undone.`, yes, interrupt);
    const erased = await eraseAll(session, id, Number(charges));
    if (connection.json) print({ status: 'erased', ...erased });
    else process.stdout.write(`Erased: ${group(erased.charges)} charges say ${erased.pseudonym} now.\n`);
    return EXIT.ok;
  });
}

async function look(session: Session, id: string): Promise<{ charges: bigint; tokens: bigint }> {
  const request = QueryUsageRequest.fromPartial({ query: { filter: { userProfile: id } } });
  const { rows } = await session.call(UsageServiceService.queryUsage, request);
  return { charges: rows[0]?.charges ?? 0n, tokens: rows[0]?.totalTokens ?? 0n };
}

/** Charges that were voided or amended are erased too, so there may be more than the look has counted. */
async function eraseAll(session: Session, id: string, expected: number): Promise<Erased> {
  const erased: Erased = { pseudonym: '', charges: 0 };
  const status = { toString: () => `${group(erased.charges)} charges erased` };
  const progress = startProgress(process.stderr, expected, status);
  try {
    for (let done = false; !done;) {
      const response = await session.call(UserProfileServiceService.eraseUserProfile, { id }, (text) =>
        progress.notice(text),
      );
      ({ done } = response);
      erased.pseudonym = response.pseudonym;
      erased.charges += Number(response.charges);
      progress.update(Math.min(erased.charges, expected));
      session.interrupt.throwIfAborted();
    }
    return erased;
  } finally {
    progress.stop();
  }
}

function print(object: object): void {
  process.stdout.write(`${JSON.stringify(object)}\n`);
}
