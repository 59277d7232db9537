/** Prices that change, and charges that are corrected, step by step: the timelines of `money-cases.json`. */

import { describe, expect, test } from '@jest/globals';

import { createMigratedDatabase } from '../support/database.ts';
import { openTestServer } from '../support/server.ts';
import { findSharedData } from '../support/shared-data.ts';
import { readMoneyCases, type TimelineCase } from './support/money-cases.ts';
import { Timeline } from './support/timeline.ts';

const path = findSharedData('money-cases.json', 'the timelines of prices and corrections');
/** P09 has a suite of its own: money-writers.test.ts. */
const timelines = (path === undefined ? [] : readMoneyCases(path)).filter(
  (one): one is TimelineCase => one.kind === 'timeline' && one.id !== 'P09',
);

(path === undefined ? describe.skip : describe)('timelines', () => {
  test('the file has the cases that this suite was written for', () => {
    const ids = ['P01', 'P02', 'P04', 'P05', 'P07', 'V01', 'V02', 'V05'];
    expect(timelines.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
  });

  for (const { id, title, steps } of timelines) {
    test(`${id}: ${title}`, async () => {
      // Of its own: the steps name the numbers of the journal and of the price versions.
      const database = await createMigratedDatabase();
      const server = await openTestServer(database.url);
      const timeline = new Timeline(server.address, steps);
      try {
        await timeline.play(steps);
      } finally {
        timeline.close();
        await server.close();
        await database.drop();
      }
    });
  }
});
