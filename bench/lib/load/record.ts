/** RecordCharges streams, each with a window of unanswered requests that is kept full. */

import type { JobResult } from '../child-main.ts';
import { recordBodies } from './bodies.ts';
import { GrpcConnection, type GrpcStream } from './grpc-connection.ts';
import type { RecordJob } from './jobs.ts';

/** Requests that are sent together, as a socket would collect them from a client that writes row by row. */
const CHUNK_MIN = 50;

/** Runs the job. Every request must be answered by one message before the stream ends OK. */
export async function runRecord(job: RecordJob): Promise<JobResult> {
  const startedAtMs = performance.now();
  const stopAtMs = startedAtMs + job.seconds * 1000;
  const results = await Promise.all(Array.from({ length: job.streams }, () => runStream(job, stopAtMs)));
  const ok = results.reduce((sum, each) => sum + each.ok, 0);
  const failed = results.reduce((sum, each) => sum + each.failed, 0);
  return { ok, failed, rows: ok, seconds: (performance.now() - startedAtMs) / 1000 };
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
      const stream = connection.open(
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
