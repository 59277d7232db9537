import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { EventMessage } from '../../src/relay/event-message.ts';
import { RecentEvents } from '../../src/relay/recent-events.ts';

const TENANT = 'default';

function group(firstSequence: bigint, size: number) {
  const messages = Array.from({ length: size }, (_, index): EventMessage => {
    const sequence = firstSequence + BigInt(index);
    return {
      kind: 'created',
      id: String(sequence),
      subject: String(sequence),
      tenant: TENANT,
      sequence,
      createTimeMs: 0,
      traceparent: '',
      payload: new Uint8Array(),
    };
  });
  return { tenant: TENANT, firstSequence, messages, sizeBytes: size };
}

/** Groups of a journal in the order of their numbers, some of which never arrive, and a shuffled arrival. */
const journals = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 7 }), arrives: fc.boolean() }), { maxLength: 20 })
  .chain((sizes) => {
    let next = 1n;
    const groups = sizes.map(({ size, arrives }) => {
      const made = { ...group(next, size), arrives };
      next += BigInt(size);
      return made;
    });
    const arriving = groups.filter(({ arrives }) => arrives);
    return fc.record({
      groups: fc.constant(groups),
      arrival: fc.shuffledSubarray(arriving, { minLength: arriving.length }),
      limit: fc.integer({ min: 1, max: 10 }),
    });
  });

test('in whatever order groups arrive, what comes after a number is without a gap, and nothing is given twice', () => {
  fc.assert(
    fc.property(journals, ({ groups, arrival, limit }) => {
      const recent = new RecentEvents(1_000);
      for (const each of arrival) recent.add(each);
      const given: bigint[] = [];
      let cursor = 0n;
      for (const { messages, arrives } of groups) {
        // The reader takes the next group from memory, or from the journal if it never arrived.
        const last = messages.at(-1)?.sequence ?? cursor;
        if (cursor >= last) continue;
        const found = recent.after(TENANT, cursor, limit).map(({ sequence }) => sequence);
        expect(found.length > 0).toBe(arrives);
        expect(recent.reach(TENANT, cursor) >= (found.at(-1) ?? cursor)).toBe(true);
        expect(recent.reach(TENANT, cursor) > cursor).toBe(arrives);
        expect(found).toEqual(found.map((_, index) => cursor + 1n + BigInt(index)));
        given.push(...found);
        cursor = found.at(-1) ?? last;
        recent.forget(TENANT, cursor);
      }
      expect(new Set(given).size).toBe(given.length);
      expect(given).toHaveLength(arrival.reduce((sum, { messages }) => sum + messages.length, 0));
    }),
  );
});

test('beyond its bound it keeps nothing more, until something is published', () => {
  const recent = new RecentEvents(5);
  recent.add(group(1n, 3));
  recent.add(group(4n, 3));
  expect(recent.after(TENANT, 3n, 10)).toEqual([]);
  recent.forget(TENANT, 3n);
  recent.add(group(4n, 3));
  expect(recent.after(TENANT, 3n, 10)).toHaveLength(3);
});

test('what is left of a group that was published in part is still there, and keeps its bytes until it is published', () => {
  const recent = new RecentEvents(5);
  recent.add(group(1n, 5));
  recent.forget(TENANT, 2n);
  expect(recent.after(TENANT, 2n, 10).map(({ sequence }) => sequence)).toEqual([3n, 4n, 5n]);
  expect(recent.reach(TENANT, 2n)).toBe(5n);
  recent.add({ ...group(6n, 1), tenant: 'acme' });
  expect(recent.after('acme', 5n, 10)).toEqual([]);
  recent.forget(TENANT, 5n);
  recent.add({ ...group(6n, 1), tenant: 'acme' });
  expect(recent.after('acme', 5n, 10)).toHaveLength(1);
});
