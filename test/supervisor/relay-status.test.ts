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

test('each reason why events wait is one warning, however many attempts fail, and the end of it one line', async () => {
  const lines: string[] = [];
  let failures = 0;
  const log =
    (level: string) =>
    ({ reason = '' }: { reason?: string }, message: string) => {
      if (message.startsWith('publishing failed')) failures++;
      if (message.startsWith('events ')) lines.push(`${level}: ${reason || message}`);
    };
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn') } as unknown as Logger;
  const { events, status } = observeRelay(createRelayMetrics(new Registry()), logger, () => undefined);
  relay = createRelay(CONFIG, store.everyTenant.em, nats.url, events);
  relay.start();

  for (let outage = 0; outage < 2; outage++) {
    // Nothing is published in between: a successful round without events ends the failure too.
    await waitFor('the relay', () => status.publishing.publishing && status.leading);
    expect(lines.splice(0)).toEqual(['info: events reach the stream']);
    await nats.kill();
    const attempts = failures + 3;
    await waitFor('three failures', () => failures >= attempts);
    const warnings = lines.splice(0);
    expect(warnings[0]).toBe('warn: the connection to NATS was lost');
    expect(warnings.at(-1)).toBe('warn: NATS JetStream: cannot connect: connection refused');
    // An attempt at the very moment of the kill has a reason of its own.
    expect(warnings.filter((line) => !line.includes('ECONNRESET'))).toHaveLength(2);
    await nats.restart();
  }
});
