/** A connection between a socket and what stands for node:http2, where the real one would never go. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';

import { expect, test } from '@jest/globals';

import { HeldBytes } from '../../../src/grpc/held-bytes.ts';
import { serveConnection } from '../../../src/grpc/http2/client-connection.ts';
import type { Lane } from '../../../src/grpc/http2/junction.ts';
import type { Inject } from '../../../src/grpc/http2-servers.ts';
import { ErrorCode, FrameType, PREFACE } from '../../../src/grpc/http2/protocol.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import { headersFrames, rawFrame, settingsFrame, uint32 } from './support/frames.ts';
import { begin } from './support/served.ts';

/** A client's end of a connection, and node:http2's. */
function connected(lane: Lane = () => undefined): { client: Duplex; inner: Duplex; defects: unknown[] } {
  const inners: Duplex[] = [];
  const { client, defects } = served(lane, (injected) => {
    inners.push(injected);
    return undefined;
  });
  const [inner] = inners;
  if (inner === undefined) throw new Error('nothing was injected');
  return { client, inner, defects };
}

function served(lane: Lane, inject: Inject): { client: Duplex; defects: unknown[] } {
  const defects: unknown[] = [];
  const [client, socket] = duplexPair();
  serveConnection(socket as Socket, {
    lane,
    heldBytes: new HeldBytes(2 ** 20),
    untakenMaxMs: 1000,
    streamsMax: 10,
    graceMs: 1000,
    inject,
    onDefect: (error) => defects.push(error),
  });
  return { client, defects };
}

test('a connection that grpc-js does not serve ends, and the log has it', async () => {
  const { client, defects } = served(
    () => undefined,
    () => {
      throw new TypeError('elsewhere');
    },
  );
  client.resume();
  await once(client, 'end');
  expect(defects).toEqual([expect.any(TypeError)]);
  client.destroy();
});

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

test.each<[string, Lane | undefined, (ends: { client: Duplex; inner: Duplex }) => void]>([
  [
    'headers of node:http2 that cannot be read',
    undefined,
    ({ inner }) => void inner.write(headersFrames(1, Buffer.from([0x80]))),
  ],
  [
    'an error of the lane',
    () => {
      throw new Error('what nobody should see');
    },
    ({ client }) => void client.write(Buffer.concat([PREFACE, settingsFrame(), begin(1)])),
  ],
])(
  '%s: the connection ends without blame and without a text, and the log has it',
  async (_name, lane, act) => {
    const { client, inner, defects } = connected(lane);
    const received: Buffer[] = [];
    client.on('data', (chunk: Buffer) => received.push(chunk));
    inner.write(settingsFrame());
    await waitFor('the SETTINGS', () => received.length > 0);
    act({ client, inner });
    await once(client, 'end');
    const goaway = Buffer.concat(received).subarray(settingsFrame().length);
    expect(goaway.subarray(0, 9)).toEqual(rawFrame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8)).subarray(0, 9));
    expect(goaway.subarray(13)).toEqual(uint32(ErrorCode.INTERNAL_ERROR));
    expect(defects).toEqual([expect.any(Error)]);
    client.destroy();
  },
);
