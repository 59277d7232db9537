/** Questions to a person. */

import { createInterface } from 'node:readline/promises';
import { UsageError } from './command.ts';

/** Where a question is asked and answered. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Where a person can be asked; undefined: nowhere. */
export function terminalOf(): Terminal | undefined {
  const { stdin: input, stderr: output } = process;
  return input.isTTY && output.isTTY ? { input, output } : undefined;
}

/** Resolves if the answer is y. Otherwise it rejects with a {@link UsageError}, after `interrupt` with an AbortError. */
export async function ask(question: string, terminal: Terminal, interrupt: AbortSignal): Promise<void> {
  const lines = createInterface(terminal);
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: interrupt });
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(['the answer was not y']);
  } finally {
    lines.close();
  }
}

/** Asks on a terminal. Elsewhere it needs `--yes`: rejects with a {@link UsageError}. */
export async function agree(
  question: string,
  yes: boolean | undefined,
  interrupt: AbortSignal,
): Promise<void> {
  if (yes) return;
  const terminal = terminalOf();
  if (!terminal) throw new UsageError([`${question} Nobody can be asked here: --yes agrees`]);
  await ask(question, terminal, interrupt);
}
