/** Whatever happens to a book and however far its sums are: every answer is that of a sum over its events in memory. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { UsageQuery } from '../../src/usage/usage.ts';
import { firstSteps, type Question, question, type Step, step } from './support/arbitraries.ts';
import { type Answer, type UsageBook, UsageStore } from './support/book.ts';
import { chargesAfter, naiveRows } from './support/naive.ts';

/** More for a long search: `ANSWERS_RUNS=500`. */
const RUNS = Number(process.env['ANSWERS_RUNS'] ?? 20);

let store: UsageStore;
beforeAll(async () => {
  store = await UsageStore.open();
});
afterAll(() => store.close());

/** Does steps to a book. */
class Scribe {
  readonly book: UsageBook;
  readonly #ids: string[] = [];

  constructor(book: UsageBook) {
    this.book = book;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case 'record':
        this.#ids.push(...(await this.book.record(step.contents, step.importId)));
        break;
      case 'amend':
        this.#ids.push(...(await this.book.amend(this.#charge(step.target), step.content)));
        break;
      case 'void':
        return this.book.void(this.#charge(step.target));
      case 'price':
        return this.book.addPrice(step.price);
      case 'reprice':
        return this.book.reprice(step.includePriced);
      case 'follow':
        await this.book.follow(step.eventsMax);
    }
  }

  #charge(target: number): string {
    return this.#ids[target % this.#ids.length] ?? '';
  }
}

/** Asks, compares with the sum in memory, and resolves to what would be asked again. */
async function expectAnswer(
  book: UsageBook,
  { query, pages, asOf }: Question,
): Promise<[UsageQuery, Answer]> {
  const last = await book.lastSequence();
  const sequence = BigInt(Math.floor(Number(last) * asOf));
  const asked = { ...query, asOfSequence: asOf === 1 ? undefined : sequence };
  const expected = naiveRows(chargesAfter(await book.events(sequence)).values(), query);
  const answer = await book.ask(asked, Math.max(1, Math.ceil(expected.length / pages)));
  expect(answer).toEqual({ rows: expected, asOfSequence: sequence });
  expect(await book.stream(asked)).toEqual(answer);
  return [{ ...query, asOfSequence: sequence }, answer];
}

test('answers are those of a sum in memory, also of the past, also later', async () => {
  const parts = fc.array(
    fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 8 }),
      questions: fc.array(question, { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 2, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(firstSteps, parts, async (first, rest) => {
      const scribe = new Scribe(await store.newBook());
      const { book } = scribe;
      for (const one of first) await scribe.do(one);
      const asked: [UsageQuery, Answer][] = [];
      for (const { steps, questions } of rest) {
        for (const one of steps) await scribe.do(one);
        for (const one of questions) asked.push(await expectAnswer(book, one));
      }
      for (const [query, answer] of asked) expect(await book.ask(query)).toEqual(answer);
      await book.followAll(7);
      for (const [query, answer] of asked) expect(await book.ask(query)).toEqual(answer);
    }),
    // A failure is not shrunk: that takes minutes. Its seed finds it again.
    { numRuns: RUNS, endOnFailure: true },
  );
}, 3_600_000);
