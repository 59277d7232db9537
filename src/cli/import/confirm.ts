/** The agreement of a person to the plan. */

import { createInterface } from 'node:readline/promises';
import { UsageError } from '../command.ts';
import type { ImportOptions } from './options.ts';

/** Where a question is asked and answered. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/**
 * Asks on a terminal. Elsewhere a plan with doubts needs `--yes`. Rejects with a {@link UsageError} if there
 * is no agreement, with an AbortError after `interrupt`.
 */
export async function confirm(
  doubts: readonly string[],
  { yes }: Pick<ImportOptions, 'yes'>,
  terminal: Terminal | undefined,
  interrupt: AbortSignal,
): Promise<void> {
  if (yes) return;
  if (!terminal) {
    if (doubts.length === 0) return;
    throw new UsageError([
      ...doubts,
      'if all of this is right, --yes records the charges as the plan shows them',
    ]);
  }
  const lines = createInterface(terminal);
  try {
    const answer = await lines.question('Record these charges? [y/N] ', { signal: interrupt });
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(['the answer was not y']);
  } finally {
    lines.close();
  }
}
