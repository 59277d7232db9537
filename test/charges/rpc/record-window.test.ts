/** The window of all record streams: bounded, fair, and nobody is forgotten. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type RecordShare, RecordWindow } from '../../../src/charges/rpc/record-window.ts';

/** A stream as RecordChargesWork is one: it reads while it may, and looks again after every item. */
class Reader {
  readonly share: RecordShare;
  paused = false;
  over = false;

  constructor(window: RecordWindow) {
    this.share = window.share(() => this.#regulate());
  }

  read(): void {
    if (this.paused || this.over) return;
    this.share.take();
    this.#regulate();
  }

  /** An item that was on its way when the stream was paused. */
  readBehindPause(): void {
    if (!this.over) this.share.take();
  }

  answer(items: number): void {
    this.share.giveBack(Math.min(items, this.share.items));
  }

  end(): void {
    this.over = true;
    this.answer(Infinity);
  }

  #regulate(): void {
    this.paused = !this.share.mayRead();
  }
}

const command = fc.record({
  kind: fc.constantFrom('read', 'read', 'read', 'readBehindPause', 'answer', 'answer', 'end', 'open'),
  stream: fc.nat(100),
  items: fc.integer({ min: 0, max: 12 }),
});

test('is never exceeded, forgets nobody who waits, and gets everything back', () => {
  const sizes = fc.record({
    itemsMax: fc.integer({ min: 1, max: 40 }),
    streamMax: fc.integer({ min: 1, max: 15 }),
  });
  fc.assert(
    fc.property(sizes, fc.array(command, { maxLength: 300 }), ({ itemsMax, streamMax }, commands) => {
      const window = new RecordWindow(itemsMax, streamMax);
      const readers: Reader[] = [];
      let behindPauses = 0;
      const check = (): void => {
        const open = readers.filter(({ over }) => !over);
        const items = readers.map(({ share }) => share.items);
        const shareMax = Math.min(streamMax, Math.floor(itemsMax / items.filter((each) => each > 0).length));
        const sum = items.reduce((total, each) => total + each, 0);
        expect(window.items).toBe(sum);
        expect(sum).toBeLessThanOrEqual(itemsMax + open.length + behindPauses);
        for (const { paused, share } of open) {
          if (paused) expect(sum >= itemsMax || share.items >= shareMax).toBe(true);
          if (paused) expect(share.items).toBeGreaterThan(0);
        }
      };
      for (const { kind, stream, items } of commands) {
        if (kind === 'open') readers.push(new Reader(window));
        else if (kind === 'readBehindPause') behindPauses++;
        readers[stream % readers.length]?.[kind === 'open' ? 'read' : kind](items);
        check();
      }
      for (const reader of readers) reader.end();
      expect(window.items).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test('those who come later get an equal share as soon as the first is answered', () => {
  const window = new RecordWindow(100, 1000);
  const readers = [new Reader(window)];
  const readAll = (): void => {
    for (let turn = 0; turn < 200; turn++) for (const reader of readers) reader.read();
  };
  readAll();
  expect(readers[0]?.share.items).toBe(100);
  readers.push(new Reader(window), new Reader(window), new Reader(window));
  readAll();
  // Nothing is free, and yet nobody is without an item.
  expect(readers.map(({ share }) => share.items)).toEqual([100, 1, 1, 1]);
  for (let answered = 0; answered < 100; answered += 10) {
    readers[0]?.answer(10);
    readAll();
  }
  expect(readers.map(({ share }) => share.items)).toEqual([25, 25, 25, 25]);
  for (const reader of readers.slice(1)) reader.end();
  readAll();
  expect(readers.map(({ share }) => share.items)).toEqual([100, 0, 0, 0]);
});

test('streams that have nothing in hand take nothing from the others', () => {
  const window = new RecordWindow(100, 40);
  const idle = Array.from({ length: 50 }, () => new Reader(window));
  const busy = new Reader(window);
  for (let i = 0; i < 200; i++) busy.read();
  expect(busy.share.items).toBe(40);
  expect(idle.every(({ paused }) => !paused)).toBe(true);
});

test('a stream that is over is not told any more', () => {
  const window = new RecordWindow(2, 2);
  let told = 0;
  const gone = window.share(() => told++);
  gone.take();
  gone.take();
  expect(gone.mayRead()).toBe(false);
  gone.giveBack(2);
  const before = told;
  const other = new Reader(window);
  for (let i = 0; i < 5; i++) {
    other.read();
    other.answer(1);
  }
  expect(told).toBe(before);
});
