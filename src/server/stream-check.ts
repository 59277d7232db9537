/** The comparison of the stream with the journal as a check of Reconcile. */

import { createStreamComparison, type StreamFinding } from '../relay/index.ts';
import { CHECK, type Finding, FINDING, type StreamCheck } from '../usage/index.ts';

/** `natsUrl`: undefined as long as there is no NATS. */
export function createStreamCheck(
  config: Parameters<typeof createStreamComparison>[0],
  natsUrl: () => string | undefined,
): StreamCheck {
  const compare = createStreamComparison(config, natsUrl);
  return (em, { tenant, repair, repairing, signal, progress, finding, compared }) =>
    compare(em, {
      tenant,
      repair,
      repairing: (first, last) => repairing({ first, last }),
      signal,
      progress: (done, total) => progress(CHECK.stream, done, total),
      found: (found) => finding(toFinding(found)),
      compared: (events, messages) => compared({ check: CHECK.stream, events, messages }),
    });
}

function toFinding(found: StreamFinding): Finding {
  switch (found.kind) {
    case 'unreadable':
      return { kind: FINDING.streamUnreadable, detail: found.detail };
    case 'missing': {
      const { repaired, detail } = found;
      return { kind: FINDING.streamEventsMissing, sequences: found, repaired, detail };
    }
    case 'doubled':
      return { kind: FINDING.streamEventsDoubled, sequences: found };
    case 'foreign':
      return { kind: FINDING.streamMessagesForeign, streamSequences: found };
  }
}
