/** What a person sees on standard error while a command runs. */

import { SingleBar } from 'cli-progress';

/** Shows how far a command is. Nothing of it reaches standard output. */
export interface Progress {
  /** Cheap enough for every row. `done` is compared with the total, `status` is called when it is shown. */
  update(done: number, status: () => string): void;
  /** Prints a line of text. A bar stays below it. */
  notice(text: string): void;
  stop(): void;
}

const LINE_INTERVAL_MS = 5000;
/** The bar formats its text at every update, so it does not get every row. */
const BAR_INTERVAL_MS = 100;

/** Shows a bar if `stream` is a terminal and `total` is known, otherwise a line every 5 seconds. */
export function startProgress(stream: NodeJS.WriteStream, total: number | undefined): Progress {
  return stream.isTTY && total ? startBar(stream, total) : startLines(stream, total);
}

function startBar(stream: NodeJS.WriteStream, total: number): Progress {
  const format = '{bar} {percentage}% | {status} | ETA {eta_formatted}';
  const bar = new SingleBar({ stream, hideCursor: true, clearOnComplete: false, format });
  bar.start(total, 0, { status: '' });
  let last: (() => void) | undefined;
  const show = atMostEvery(BAR_INTERVAL_MS, 0);
  return {
    update(done, status) {
      last = () => bar.update(Math.min(done, total), { status: status() });
      show(last);
    },
    notice: (text) => void stream.write(`\r\u001b[K${text}\n`),
    stop() {
      last?.();
      bar.stop();
    },
  };
}

function startLines(stream: NodeJS.WriteStream, total: number | undefined): Progress {
  const show = atMostEvery(LINE_INTERVAL_MS, Date.now());
  return {
    update: (done, status) =>
      show(() => {
        const share = total ? `${Math.floor((done / total) * 100)} %, ` : '';
        stream.write(`${share}${status()}\n`);
      }),
    notice: (text) => void stream.write(`${text}\n`),
    stop: () => undefined,
  };
}

function atMostEvery(intervalMs: number, lastAt: number): (show: () => void) => void {
  return (show) => {
    if (Date.now() - lastAt < intervalMs) return;
    lastAt = Date.now();
    show();
  };
}

/** Digits in groups of three: `22,361,870`. */
export function group(number: number | bigint): string {
  return number.toLocaleString('en-US');
}
