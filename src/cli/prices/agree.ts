/** The agreement of a person before something is changed. */

import { createInterface } from 'node:readline/promises';
import { UsageError } from '../command.ts';

/** Where a question is asked and answered. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Where a person can be asked; undefined: nowhere. */
export function terminalOfProcess(): Terminal | undefined {
  const { stdin: input, stderr: output } = process;
  return input.isTTY && output.isTTY ? { input, output } : undefined;
}

/**
 * Asks on a terminal. Without one, and after any answer but y, rejects with a {@link UsageError}: `refusal` says what
 * flag agrees. Rejects with an AbortError after `interrupt`.
 */
export async function agree(
  question: string,
  refusal: string,
  terminal: Terminal | undefined,
  interrupt: AbortSignal,
): Promise<void> {
  if (!terminal) throw new UsageError([refusal]);
  const lines = createInterface(terminal);
  try {
    const answer = await lines.question(question, { signal: interrupt });
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(['the answer was not y']);
  } finally {
    lines.close();
  }
}
