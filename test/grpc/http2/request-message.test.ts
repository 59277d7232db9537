/** One message out of DATA frames, with memory for what has arrived and not for what is claimed. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RequestMessage } from '../../../src/grpc/http2/request-message.ts';
import { frame } from '../support/raw.ts';

test('a message comes out of its parts, however it is split', () => {
  const split = fc
    .tuple(fc.uint8Array({ maxLength: 100_000, size: 'max' }), fc.array(fc.nat({ max: 100_005 })))
    .map(([payload, places]) => ({ payload, places: [0, ...places.sort((a, b) => a - b)] }));
  fc.assert(
    fc.property(split, ({ payload, places }) => {
      const message = new RequestMessage(100_000);
      const framed = frame(payload);
      for (const [index, place] of places.entries()) {
        expect(message.push(framed.subarray(place, places[index + 1]))).toBeUndefined();
      }
      expect(message.bytes?.equals(payload)).toBe(true);
    }),
  );
});

test('what is claimed is not allocated', () => {
  const allocated: number[] = [];
  const allocUnsafe = Buffer.allocUnsafe.bind(Buffer);
  Buffer.allocUnsafe = (size) => {
    allocated.push(size);
    return allocUnsafe(size);
  };
  try {
    const message = new RequestMessage(4_000_000);
    message.push(frame(Buffer.alloc(10), 0, 4_000_000));
    for (let i = 0; i < 1000; i++) message.push(Buffer.alloc(100));
    expect(message.bytes).toBeUndefined();
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 100_010);
    expect(allocated.length).toBeLessThan(10);
  } finally {
    Buffer.allocUnsafe = allocUnsafe;
  }
});

test.each([
  ['too large', frame(Buffer.alloc(11)), { kind: 'too_large', sizeBytes: 11 }],
  [
    'too large as it says',
    frame(Buffer.alloc(0), 0, 0xffffffff),
    { kind: 'too_large', sizeBytes: 0xffffffff },
  ],
  ['too large and compressed', frame(Buffer.alloc(11), 1), { kind: 'too_large', sizeBytes: 11 }],
  ['compressed', frame(Buffer.alloc(10), 1), { kind: 'compressed' }],
  ['flagged otherwise', frame(Buffer.alloc(10), 255), { kind: 'compressed' }],
  ['two', Buffer.concat([frame(Buffer.alloc(1)), frame(Buffer.alloc(0))]), { kind: 'second_message' }],
])('a fault: %s', (_name, bytes, fault) => {
  expect(new RequestMessage(10).push(bytes)).toEqual(fault);
});

test('what is kept of a chunk survives it', () => {
  const framed = frame(Buffer.from('whole'));
  for (const place of [3, 7, framed.length]) {
    const message = new RequestMessage(100);
    const lent = Buffer.from(framed.subarray(0, place));
    message.push(lent);
    message.own();
    lent.fill(0xff);
    message.push(framed.subarray(place));
    expect(message.bytes?.toString()).toBe('whole');
  }
});
