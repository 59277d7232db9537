/** The window of all record streams: bounded, fair, and no stream is forgotten. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type RecordShare, RecordWindow } from '../../../src/charges/rpc/record-window.ts';

/** A stream as RecordCharges makes it: it reads while it may, and asks again after every item. */
class Reader {
  readonly share: RecordShare;
  paused = false;
  over = false;

  constructor(window: RecordWindow) {
    this.share = window.share(() => this.#regulate());
  }

  read(bytes = 1): void {
    if (this.paused || this.over) return;
    this.share.acquire(bytes);
    this.#regulate();
  }

  /** An item that was on its way when the stream was paused. */
  readDuringPause(bytes: number): void {
    if (!this.over) this.share.acquire(bytes);
  }

  answer(bytes: number): void {
    this.share.release(Math.min(bytes, this.share.bytes));
  }

  end(): void {
    this.over = true;
    this.answer(Infinity);
  }

  #regulate(): void {
    this.paused = !this.share.mayRead();
  }
}

const ITEM_BYTES_MAX = 12;
const command = fc.record({
  kind: fc.constantFrom('read', 'read', 'read', 'readDuringPause', 'answer', 'answer', 'end', 'open'),
  stream: fc.nat(100),
  bytes: fc.integer({ min: 1, max: ITEM_BYTES_MAX }),
});

test('is exceeded by one item per stream at most, forgets no stream that waits, and gets everything back', () => {
  const sizes = fc.record({
    bytesMax: fc.integer({ min: 1, max: 80 }),
    streamMax: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(sizes, fc.array(command, { maxLength: 300 }), ({ bytesMax, streamMax }, commands) => {
      const window = new RecordWindow(bytesMax, streamMax);
      const readers: Reader[] = [];
      let duringPauses = 0;
      const check = (): void => {
        const open = readers.filter(({ over }) => !over);
        const bytes = readers.map(({ share }) => share.bytes);
        const active = bytes.filter((each) => each > 0).length;
        const shareMax = Math.min(streamMax, Math.floor(bytesMax / Math.max(1, active)));
        const sum = bytes.reduce((total, each) => total + each, 0);
        expect(window.bytes).toBe(sum);
        expect(sum).toBeLessThan(bytesMax + (open.length + duringPauses + 1) * ITEM_BYTES_MAX);
        for (const { paused, share } of open) {
          if (paused) expect(sum >= bytesMax || share.bytes >= shareMax).toBe(true);
          if (paused) expect(share.bytes).toBeGreaterThan(0);
        }
      };
      for (const { kind, stream, bytes } of commands) {
        if (kind === 'open') readers.push(new Reader(window));
        else if (kind === 'readDuringPause') duringPauses++;
        readers[stream % readers.length]?.[kind === 'open' ? 'read' : kind](bytes);
        check();
      }
      for (const reader of readers) reader.end();
      expect(window.bytes).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test('streams that come later get an equal share as soon as the first is answered', () => {
  const window = new RecordWindow(100, 1000);
  const readers = [new Reader(window)];
  const readAll = (): void => {
    for (let turn = 0; turn < 200; turn++) for (const reader of readers) reader.read();
  };
  readAll();
  expect(readers[0]?.share.bytes).toBe(100);
  readers.push(new Reader(window), new Reader(window), new Reader(window));
  readAll();
  // Nothing is free, but every stream has an item.
  expect(readers.map(({ share }) => share.bytes)).toEqual([100, 1, 1, 1]);
  for (let answered = 0; answered < 100; answered += 10) {
    readers[0]?.answer(10);
    readAll();
  }
  expect(readers.map(({ share }) => share.bytes)).toEqual([25, 25, 25, 25]);
  for (const reader of readers.slice(1)) reader.end();
  readAll();
  expect(readers.map(({ share }) => share.bytes)).toEqual([100, 0, 0, 0]);
});

test('streams that hold nothing take nothing from the others', () => {
  const window = new RecordWindow(100, 40);
  const idle = Array.from({ length: 50 }, () => new Reader(window));
  const busy = new Reader(window);
  for (let i = 0; i < 200; i++) busy.read();
  expect(busy.share.bytes).toBe(40);
  expect(idle.every(({ paused }) => !paused)).toBe(true);
});

test('a stream that is over is not told any more', () => {
  const window = new RecordWindow(2, 2);
  let told = 0;
  const gone = window.share(() => told++);
  gone.acquire(1);
  gone.acquire(1);
  expect(gone.mayRead()).toBe(false);
  gone.release(2);
  const before = told;
  const other = new Reader(window);
  for (let i = 0; i < 5; i++) {
    other.read();
    other.answer(1);
  }
  expect(told).toBe(before);
});
