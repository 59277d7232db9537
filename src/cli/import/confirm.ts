/** The agreement of a person to the plan. */

import { UsageError } from '../command.ts';
import { ask, type Terminal } from '../confirm.ts';
import type { ImportOptions } from './options.ts';

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
  if (terminal) return ask('Record these charges?', terminal, interrupt);
  if (doubts.length === 0) return;
  throw new UsageError([
    ...doubts,
    'if all of this is right, --yes records the charges as the plan shows them',
  ]);
}
