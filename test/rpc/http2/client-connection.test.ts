/** A connection between a socket and what stands for node:http2, where the real one would never go. */

import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';

import { expect, test } from '@jest/globals';

import { HeldBytes } from '../../../src/rpc/held-bytes.ts';
import { serveConnection } from '../../../src/rpc/http2/client-connection.ts';
import { FrameType, PREFACE } from '../../../src/rpc/http2/protocol.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import { rawFrame, settingsFrame } from './support/frames.ts';

/** A client's end of a connection, and node:http2's. */
function connected(): { client: Duplex; inner: Duplex } {
  const [client, socket] = duplexPair();
  const inners: Duplex[] = [];
  serveConnection(socket as Socket, {
    lane: () => undefined,
    heldBytes: new HeldBytes(2 ** 20),
    untakenMaxMs: 1000,
    streamsMax: 10,
    graceMs: 1000,
    inject: (injected) => {
      inners.push(injected);
      return undefined;
    },
    onDefect: () => {},
  });
  const [inner] = inners;
  if (inner === undefined) throw new Error('nothing was injected');
  return { client, inner };
}

test('what a client sends before node:http2 begins is kept until it does', async () => {
  const { client, inner } = connected();
  const received: Buffer[] = [];
  inner.on('data', (chunk: Buffer) => received.push(chunk));
  const ping = rawFrame(FrameType.PING, 0, 0, Buffer.alloc(8));
  client.write(Buffer.concat([PREFACE, settingsFrame()]));
  client.write(ping);
  expect(await settled(() => received.length)).toBe(0);
  inner.write(settingsFrame());
  const expected = Buffer.concat([PREFACE, settingsFrame(), ping]);
  await waitFor('the frames', () => Buffer.concat(received).equals(expected));
  client.destroy();
});
