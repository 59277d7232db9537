/** The agreement of a person before something is changed. */

import { createInterface } from 'node:readline/promises';
import { UsageError } from '../command.ts';

/**
 * Asks on a terminal; `mayAsk`: standard input is free for the answer. Elsewhere, and after any answer but y, rejects
 * with a {@link UsageError}: `refusal` says what flag agrees. Rejects with an AbortError after `interrupt`.
 */
export async function agree(
  question: string,
  refusal: string,
  mayAsk: boolean,
  interrupt: AbortSignal,
): Promise<void> {
  const { stdin: input, stderr: output } = process;
  if (!mayAsk || !input.isTTY || !output.isTTY) throw new UsageError([refusal]);
  const lines = createInterface({ input, output });
  try {
    const answer = await lines.question(question, { signal: interrupt });
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(['the answer was not y']);
  } finally {
    lines.close();
  }
}
