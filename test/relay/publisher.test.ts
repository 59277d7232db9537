/** What the publisher says about a batch without an acknowledgement. The broker is a connection that never answers. */

import { expect, jest, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';

import { encodeHeaders, type EventMessage } from '../../src/relay/event-message.ts';
import { JetStreamPublisher } from '../../src/relay/publisher.ts';
import { EVENT_BYTES_MIN } from '../../src/relay/stream-condition.ts';

const MESSAGE: EventMessage = {
  kind: 'repriced',
  subject: '01932f00-0000-7000-8000-000000000002',
  id: '01932f00-0000-7000-8000-000000000001',
  tenant: 'default',
  sequence: 1n,
  createTimeMs: 0,
  traceparent: '',
  payload: new Uint8Array(),
};

function publisherWithoutAnswers(): JetStreamPublisher {
  const connection = {
    subscribe: () => ({ unsubscribe: () => undefined }),
    publish: () => undefined,
  } as unknown as NatsConnection;
  const publisher = new JetStreamPublisher(connection, 'CHARGES', 'protobuf');
  publisher.continueAfter(0);
  return publisher;
}

test('a batch that waits when the connection is closed fails for that reason', async () => {
  const publisher = publisherWithoutAnswers();
  const stored = publisher.publish([MESSAGE], 5_000);
  publisher.close();
  await expect(stored).rejects.toMatchObject({
    message: 'NATS JetStream: the connection was closed before the acknowledgement',
    kind: 'silent',
  });
  expect(publisher.synchronized).toBe(false);
});

test('a batch that NATS does not allow fails with what NATS says, and at once', async () => {
  const publisher = publisherWithoutAnswers();
  const stored = publisher.publish([MESSAGE], 5_000);
  publisher.forbidden('Permissions Violation for Publish to "charge.created"');
  await expect(stored).rejects.toMatchObject({
    message: 'NATS JetStream: Permissions Violation for Publish to "charge.created"',
    kind: 'refused',
  });
});

test('a batch that gets no acknowledgement in time fails for that reason', async () => {
  jest.useFakeTimers();
  try {
    const stored = publisherWithoutAnswers().publish([MESSAGE], 5_000);
    jest.advanceTimersByTime(5_000);
    await expect(stored).rejects.toMatchObject({
      message: 'NATS JetStream: no acknowledgement within 5000 ms',
      kind: 'silent',
    });
  } finally {
    jest.useRealTimers();
  }
});

test('no event is smaller than the least that a stream must take', () => {
  expect(
    encodeHeaders(MESSAGE, 'json', 'Nats-Expected-Stream: CHARGES\r\nNats-Expected-Last-Sequence: 0').length,
  ).toBeGreaterThan(EVENT_BYTES_MIN);
});

test('the headers of the longest event stay below the kilobyte that the publisher allows for them', () => {
  const longest = { ...MESSAGE, tenant: 't'.repeat(255), sequence: 2n ** 63n - 1n };
  const condition = `Nats-Expected-Stream: CHARGES\r\nNats-Expected-Last-Sequence: ${2n ** 64n - 1n}`;
  expect(encodeHeaders(longest, 'protobuf', condition).length).toBeLessThan(1024);
});
