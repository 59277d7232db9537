/** What the supervisor logs about its relay. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';

import type { Logger } from '../../src/observability/logger.ts';
import { createRelayMetrics } from '../../src/observability/relay-metrics.ts';
import { createRelay, type Relay } from '../../src/relay/index.ts';
import { observeRelay } from '../../src/supervisor/relay-status.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;

let store: TestStore;
let nats: TestNats;
let relay: Relay | undefined;

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
});
afterEach(async () => {
  await relay?.stop();
  await Promise.all([store.close(), nats.stop()]);
});

test('each time that publishing begins to fail is a warning, and every further attempt is not', async () => {
  const failures: string[] = [];
  const log = (level: string) => (_: object, message: string) => {
    if (message.startsWith('publishing failed')) failures.push(level);
  };
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn') } as unknown as Logger;
  const { events, status } = observeRelay(createRelayMetrics(new Registry()), logger, () => undefined);
  relay = createRelay(CONFIG, store.database.em, nats.url, events);
  relay.start();

  for (const expected of [1, 2]) {
    // Nothing is published in between: a successful round without events ends the failure too.
    await waitFor('the relay', () => status.connected && status.leading);
    await nats.kill();
    const attempts = failures.length + 2;
    await waitFor('two failures', () => failures.length >= attempts);
    expect(failures.filter((level) => level === 'warn')).toHaveLength(expected);
    await nats.restart();
  }
});
