/** Peer: acknowledged publishing to JetStream and nothing else. */

import { answerJobs, type JobResult } from '../lib/child-main.ts';
import { RawPublisher } from '../lib/raw-publisher.ts';

const [natsUrl = '', stream = ''] = process.argv.slice(2);

async function run({ events }: { events: number }): Promise<JobResult> {
  const publisher = await RawPublisher.open(natsUrl, stream);
  try {
    const startedAtMs = performance.now();
    await publisher.publish(events);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const ok = events - publisher.failed;
    return { ok, failed: publisher.failed, rows: ok, seconds };
  } finally {
    await publisher.close();
  }
}

answerJobs(run);
