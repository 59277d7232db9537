/** What the publisher says about a batch without an acknowledgement. The broker is a connection that never answers. */

import { expect, jest, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';

import { encodeHeaders, type EventMessage } from '../../src/relay/event-message.ts';
import { JetStreamPublisher } from '../../src/relay/publisher.ts';

const MESSAGE: EventMessage = {
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
    silent: true,
    permanent: false,
  });
  expect(publisher.synchronized).toBe(false);
});

test('a batch that gets no acknowledgement in time fails for that reason', async () => {
  jest.useFakeTimers();
  try {
    const stored = publisherWithoutAnswers().publish([MESSAGE], 5_000);
    jest.advanceTimersByTime(5_000);
    await expect(stored).rejects.toMatchObject({
      message: 'NATS JetStream: no acknowledgement within 5000 ms',
      silent: true,
    });
  } finally {
    jest.useRealTimers();
  }
});

test('the headers of the longest event stay below the kilobyte that the publisher allows for them', () => {
  const longest = { ...MESSAGE, tenant: 't'.repeat(255), sequence: 2n ** 63n - 1n };
  const condition = `Nats-Expected-Last-Msg-Id: ${MESSAGE.id}`;
  expect(encodeHeaders(longest, 'protobuf', condition).length).toBeLessThan(1024);
});
