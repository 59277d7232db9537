/** Callers that never read: record streams that only send, and watches from the beginning of the book. */

import { setTimeout as delay } from 'node:timers/promises';

import { WatchChargesRequest } from '../../../generated/charge/v1/charge_service.ts';
import { recordBodies } from './bodies.ts';
import { GrpcConnection } from './grpc-connection.ts';
import type { LoadResult, SlowReadersJob } from './jobs.ts';

/** What HTTP/2 lets a server send to a client that says nothing. */
const WINDOW_BYTES = 65_535;
/** More than the server takes in before it is answered. */
const REQUESTS_PER_STREAM = 20_000;

/** Opens everything, waits, and cuts it. `ok` is the number of streams that were still open then. */
export async function runSlowReaders(job: SlowReadersJob): Promise<LoadResult> {
  const startedAtMs = performance.now();
  const options = { streamWindowBytes: WINDOW_BYTES, reads: false };
  const connections: GrpcConnection[] = [];
  let ended = 0;
  const open = async (method: string) => {
    const connection = await GrpcConnection.open(job.address, `/charge.v1.ChargeService/${method}`, options);
    connections.push(connection);
    return {
      connection,
      stream: connection.open(
        () => undefined,
        () => ended++,
      ),
    };
  };
  const bodies = recordBodies();
  const requests = bodies(REQUESTS_PER_STREAM);
  for (let index = 0; index < job.recordStreams; index++) {
    const { connection, stream } = await open('RecordCharges');
    // Every stream sends the same requests: replays, which cost memory like any other and no disk.
    connection.send(stream, requests);
    connection.flush();
  }
  const watch = frame(WatchChargesRequest.encode({ startSequence: 1n, filter: undefined }).finish());
  for (let index = 0; index < job.watchStreams; index++) {
    const { connection, stream } = await open('WatchCharges');
    connection.send(stream, watch);
    connection.halfClose(stream);
    connection.flush();
  }
  await delay(job.seconds * 1000);
  const ok = connections.length - ended;
  const failed = ended;
  for (const connection of connections) connection.close();
  return {
    ok,
    failed,
    rows: 0,
    seconds: (performance.now() - startedAtMs) / 1000,
    p50Ms: undefined,
    p99Ms: undefined,
    maxMs: undefined,
  };
}

function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
