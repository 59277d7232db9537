/** What a person sees while an import runs, on standard error. */

import { SingleBar } from 'cli-progress';
import type { Totals } from './totals.ts';

/** Shows how far an import is. Nothing of it reaches standard output. */
export interface Progress {
  /** Cheap enough to be called for every row; `doneBytes` counts bytes of the file whose rows are answered. */
  update(totals: Totals, doneBytes: number): void;
  /** Prints a line of text without spoiling the bar. */
  notice(text: string): void;
  stop(): void;
}

const LINE_INTERVAL_MS = 5000;
/** The bar formats its payload at every update, so it is not given every row. */
const BAR_INTERVAL_MS = 100;

/** A bar where `stream` is a terminal and `totalBytes` is known; a line every 5 seconds otherwise. */
export function startProgress(stream: NodeJS.WriteStream, totalBytes: number | undefined): Progress {
  return stream.isTTY && totalBytes ? startBar(stream, totalBytes) : startLines(stream, totalBytes);
}

function startBar(stream: NodeJS.WriteStream, totalBytes: number): Progress {
  const startedAt = Date.now();
  const bar = new SingleBar({
    stream,
    hideCursor: true,
    clearOnComplete: false,
    format:
      '{bar} {percentage}% | {rows} rows, {pace}/s | created {created} · replayed {replayed} · rejected {rejected} | ETA {eta_formatted}',
  });
  const payload = (totals?: Totals) => ({
    rows: group(totals?.answered ?? 0),
    pace: group(paceOf(totals?.answered ?? 0, startedAt)),
    created: group(totals?.created ?? 0),
    replayed: group(totals?.replayed ?? 0),
    rejected: group(totals?.rejected ?? 0),
  });
  bar.start(totalBytes, 0, payload());
  let shownAt = 0;
  let last: (() => void) | undefined;
  return {
    update(totals, doneBytes) {
      last = () => bar.update(Math.min(doneBytes, totalBytes), payload(totals));
      if (Date.now() - shownAt < BAR_INTERVAL_MS) return;
      shownAt = Date.now();
      last();
    },
    notice: (text) => void stream.write(`\r\u001b[K${text}\n`),
    stop() {
      last?.();
      bar.stop();
    },
  };
}

function startLines(stream: NodeJS.WriteStream, totalBytes: number | undefined): Progress {
  const startedAt = Date.now();
  let shownAt = startedAt;
  return {
    update(totals, doneBytes) {
      if (Date.now() - shownAt < LINE_INTERVAL_MS) return;
      shownAt = Date.now();
      const share = totalBytes ? `${Math.floor((doneBytes / totalBytes) * 100)} %, ` : '';
      const pace = group(paceOf(totals.answered, startedAt));
      stream.write(
        `${share}${group(totals.answered)} rows, ${pace}/s: created ${group(totals.created)}, ` +
          `replayed ${group(totals.replayed)}, rejected ${group(totals.rejected)}\n`,
      );
    },
    notice: (text) => void stream.write(`${text}\n`),
    stop() {
      // Nothing is under way between two lines.
    },
  };
}

/** Digits in groups of three: `22,361,870`. */
export function group(number: number | bigint): string {
  return number.toLocaleString('en-US');
}

/** Rows per second since `startedAt` (milliseconds since the epoch), rounded. */
export function paceOf(rows: number, startedAt: number): number {
  return Math.round((rows * 1000) / Math.max(Date.now() - startedAt, 1));
}
