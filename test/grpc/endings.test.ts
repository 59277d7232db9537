/** How calls and streams end, and how that is counted. */

import { status as Code } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';

import type { Principal } from '../../src/grpc/principal.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open, responseOf } from './support/raw.ts';
import { errorOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
afterEach(() => fixture.close());

test('an error before the handler ends a stream with a correlation id, and closes it', async () => {
  const authenticate = (): Principal => {
    throw new Error('broken');
  };
  fixture = await startServer({}, { authenticate });
  const { client } = fixture;
  for (const open of [
    () => client.watchCharges({ startSequence: undefined, filter: undefined }),
    () => client.recordCharges(),
  ]) {
    const error = errorOf(await new Promise((resolve) => open().on('error', resolve)));
    expect(error).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL' });
    expect(fixture.logs.some((line) => line.includes(error.metadata['correlation_id'] ?? '?'))).toBe(true);
  }
  expect(fixture.server.load).toMatchObject({ watchStreams: 0, recordStreams: 0 });
});

test('a stream that its deadline ends is counted as DEADLINE_EXCEEDED', async () => {
  fixture = await startServer();
  // Without a client that keeps the deadline, too, and may cancel the call first.
  const session = connectRaw(fixture.address);
  const stream = open(session, 'WatchCharges', { 'grpc-timeout': '50m' });
  stream.end(frame(Buffer.alloc(0)));
  expect((await responseOf(stream)).grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
  await waitFor('the count', () => fixture.counts.includes(`WatchCharges ${Code.DEADLINE_EXCEEDED}`));
  session.destroy();
});

test('what is refused before grpc-js sees it is counted by its reason', async () => {
  fixture = await startServer();
  const session = connectRaw(fixture.address);
  const stream = open(session, 'CreateCharge', { 'grpc-encoding': 'gzip' });
  stream.end();
  expect((await responseOf(stream)).grpcStatus).toBe(Code.UNIMPLEMENTED);
  expect(fixture.counts).toEqual(['refused COMPRESSION_UNSUPPORTED']);
  session.destroy();
});
