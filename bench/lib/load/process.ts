/** The load process: does one job after another that its parent sends. */

import type { Job, LoadMessage, LoadResult } from './jobs.ts';
import { runUnary } from './unary.ts';

async function run(job: Job): Promise<LoadResult> {
  switch (job.kind) {
    case 'unary':
      return runUnary(job);
    case 'record':
      return (await import('./record.ts')).runRecord(job);
    case 'call-and-row':
      return (await import('../../peers/single-row.ts')).runCallAndRow(job);
    case 'slow-readers':
      return (await import('./slow-readers.ts')).runSlowReaders(job);
  }
}

function send(message: LoadMessage): void {
  process.send?.(message);
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => send({ type: 'result', result }),
    (error: unknown) =>
      send({
        type: 'error',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
  );
});
// The terminal's Ctrl-C reaches every process; the parent decides what follows.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
send({ type: 'ready' });
