/** What a person sees on standard error while a command runs. */

import { SingleBar } from 'cli-progress';

/** Shows how far a command is. Nothing of it reaches standard output. */
export interface Progress {
  /** `done` is compared with the total. Cheap enough for every row. */
  update(done: number): void;
  /** Prints a line of text. A bar stays below it. */
  notice(text: string): void;
  stop(): void;
}

const LINE_INTERVAL_MS = 5000;

/**
 * Shows a bar on a terminal, otherwise a line every 5 seconds. Both tell the share of `total`, if
 * it is known, and the text of `status` at that moment.
 */
export function startProgress(
  stream: NodeJS.WriteStream,
  total: number | undefined,
  status: { toString(): string },
): Progress {
  const share = stream.isTTY
    ? '{bar} {percentage}% | {status} | ETA {eta_formatted}'
    : '{percentage} %, {status}';
  const format = total ? share : '{status}';
  const bar = new SingleBar({
    stream,
    format,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: LINE_INTERVAL_MS,
  });
  bar.start(total ?? 0, 0, { status });
  return {
    update: (done) => bar.update(done),
    notice: (text) => void stream.write(stream.isTTY ? `\r\u001b[K${text}\n` : `${text}\n`),
    stop: () => bar.stop(),
  };
}

/** Digits in groups of three: `22,361,870`. */
export function group(number: number | bigint): string {
  return number.toLocaleString('en-US');
}
