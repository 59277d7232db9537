/** `charge close-period`: closes the time before a moment. */

import type { Command } from 'commander';
import { ChargeServiceService } from '../../../generated/charge/v1/charge_service.ts';
import { EXIT, throwFaults, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { withSession } from '../session.ts';
import { addCommonFlags, readConnection } from './flags.ts';
import { readTime, timeText } from '../time.ts';

/** Adds the subcommand to the program. */
export function addClosePeriod(program: Command, run: RunCommand): void {
  const command = program
    .command('close-period')
    .summary('close the time before a moment, for an invoice')
    .description(
      'Closes the time before a moment: corrections of earlier usage then need --allow-closed-period. Late charges ' +
        'are still accepted. It prints the sequence to cite on an invoice.',
    )
    .option(
      '--before <time>',
      'the end of the period, such as 2026-10-01 or 2026-10-01T00:00:00+02:00; needed',
    )
    .option('--yes', 'do not ask')
    .action(() => run((interrupt) => runClosePeriod(command, interrupt)));
  addCommonFlags(command);
}

function runClosePeriod(command: Command, interrupt: AbortSignal): Promise<number> {
  const flags = command.opts<{ readonly before?: string; readonly yes?: boolean }>();
  const faults: string[] = [];
  const endTime = readTime('--before', flags.before, faults);
  if (flags.before === undefined) faults.push('--before: say until when');
  const connection = readConnection(command, faults);
  throwFaults(faults);
  return withSession({ ...connection, fields: { end_time: '--before' } }, interrupt, async (session) => {
    await agree(`Close all usage before ${timeText(endTime)}? This cannot be undone.`, flags.yes, interrupt);
    const response = await session.call(ChargeServiceService.closePeriod, { endTime });
    const [end, sequence] = [timeText(response.endTime), String(response.sequence)];
    const text =
      `Closed: usage before ${end}. Cite sequence ${sequence} on the invoice: a total as of this sequence never ` +
      'changes (charge usage --as-of). It can be asked for until charges are archived whose period was closed later.';
    process.stdout.write(`${connection.json ? JSON.stringify({ end_time: end, sequence }) : text}\n`);
    return EXIT.ok;
  });
}
