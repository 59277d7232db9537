/** `charge close-period`: closes the time before a moment. */

import type { Command } from 'commander';
import type { ClosePeriodResponse } from '../../../generated/charge/v1/charge_service.ts';
import { EXIT, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { explainTime, parseTimestamp } from '../import/timestamp.ts';
import { callUnary } from '../unary.ts';
import { addCommonFlags, readConnection, throwFaults, withSession, type RawFlags } from './flags.ts';
import { timeText } from '../prices/time.ts';

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
  const flags = command.opts<RawFlags & { readonly before?: string }>();
  const faults: string[] = [];
  const endTime = parseTimestamp(flags.before ?? '');
  if (!endTime)
    faults.push(
      flags.before === undefined ? '--before: say until when' : `--before: ${explainTime(flags.before)}`,
    );
  const connection = readConnection(flags, faults);
  throwFaults(faults);
  return withSession(connection, interrupt, async ({ client, repeats }) => {
    await agree(`Close all usage before ${timeText(endTime)}? This cannot be undone.`, flags.yes, interrupt);
    const response = await callUnary<ClosePeriodResponse>(
      (metadata, deadline, done) => client.closePeriod({ endTime }, metadata, deadline, done),
      repeats,
    );
    const [end, sequence] = [timeText(response.endTime), String(response.sequence)];
    const text =
      `Closed: usage before ${end}. Cite sequence ${sequence} on the invoice: a total as of this sequence never ` +
      'changes.';
    process.stdout.write(`${flags.json ? JSON.stringify({ end_time: end, sequence }) : text}\n`);
    return EXIT.ok;
  });
}
