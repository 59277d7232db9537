/** Questions to a person. */

import { createInterface } from 'node:readline/promises';
import { UsageError } from './command.ts';

/** Where a question is asked and answered. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Where a person can be asked; null: nowhere. */
export function terminalOf(): Terminal | null {
  const { stdin: input, stderr: output } = process;
  return input.isTTY && output.isTTY ? { input, output } : null;
}

/**
 * Asks a question on a terminal, unless `yes`. Without a terminal, and after any answer but y, it rejects with a
 * {@link UsageError}, whose `faults` name the flag that agrees. After `interrupt` it rejects with an AbortError.
 */
export async function agree(
  question: string,
  yes: boolean | undefined,
  interrupt: AbortSignal,
  terminal: Terminal | null = terminalOf(),
  faults: readonly string[] = [`${question} Nobody can be asked here: --yes agrees`],
): Promise<void> {
  if (yes) return;
  if (!terminal) throw new UsageError(faults);
  const lines = createInterface(terminal);
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: interrupt });
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(['the answer was not y']);
  } finally {
    lines.close();
  }
}
