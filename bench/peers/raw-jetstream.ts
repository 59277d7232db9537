/** Peer: acknowledged publishing to JetStream and nothing else, as `bench/lib/raw-publisher.ts` does it. */

import type { LoadMessage, LoadResult } from '../lib/load/jobs.ts';
import { RawPublisher } from '../lib/raw-publisher.ts';

const [natsUrl = ''] = process.argv.slice(2);

async function run({ events }: { events: number }): Promise<LoadResult> {
  const publisher = await RawPublisher.open(natsUrl, 'RAW');
  try {
    const startedAtMs = performance.now();
    await publisher.publish(events);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const { failed } = publisher;
    const ok = events - failed;
    return { ok, failed, rows: ok, seconds, p50Ms: undefined, p99Ms: undefined, maxMs: undefined };
  } finally {
    await publisher.close();
  }
}

process.on('message', (job: { events: number }) => {
  const send = (message: LoadMessage): void => void process.send?.(message);
  run(job).then(
    (result) => send({ type: 'result', result }),
    (error: unknown) => send({ type: 'error', message: String(error) }),
  );
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready' });
