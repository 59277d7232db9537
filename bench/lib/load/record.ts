/** RecordCharges streams, each with a window of unanswered requests that is kept full. */

import { recordBodies } from './bodies.ts';
import { GrpcConnection } from './grpc-connection.ts';
import type { GrpcStream } from './grpc-stream.ts';
import type { LoadResult, RecordJob } from './jobs.ts';

/** Requests that go out together: a client that streams rows writes them as they come, a socket takes them in bulk. */
const CHUNK_MIN = 50;

/** Runs the job. Every request must be answered by one message before the stream ends OK. */
export async function runRecord(job: RecordJob): Promise<LoadResult> {
  const startedAtMs = performance.now();
  const stopAtMs = startedAtMs + job.seconds * 1000;
  const results = await Promise.all(Array.from({ length: job.streams }, () => runStream(job, stopAtMs)));
  const sum = (pick: (result: { ok: number; failed: number }) => number): number =>
    results.reduce((total, each) => total + pick(each), 0);
  const ok = sum((each) => each.ok);
  return {
    ok,
    failed: sum((each) => each.failed),
    rows: ok,
    seconds: (performance.now() - startedAtMs) / 1000,
    p50Ms: undefined,
    p99Ms: undefined,
    maxMs: undefined,
  };
}

async function runStream(job: RecordJob, stopAtMs: number): Promise<{ ok: number; failed: number }> {
  const connection = await GrpcConnection.open(job.address, '/charge.v1.ChargeService/RecordCharges');
  const bodies = recordBodies();
  let sent = 0;
  let answered = 0;
  const refill = (stream: GrpcStream): void => {
    const room = job.window - (sent - answered);
    if (room < Math.min(CHUNK_MIN, job.window)) return;
    sent += room;
    connection.send(stream, bodies(room));
  };
  try {
    const status = await new Promise<number>((resolve) => {
      const stream: GrpcStream = connection.open(
        (messages) => {
          answered += messages;
          if (performance.now() < stopAtMs) refill(stream);
          else if (!stream.halfClose) connection.halfClose(stream);
        },
        (end) => resolve(end.status),
      );
      refill(stream);
      connection.flush();
    });
    return { ok: answered, failed: status === 0 ? sent - answered : Math.max(1, sent - answered) };
  } finally {
    connection.close();
  }
}
