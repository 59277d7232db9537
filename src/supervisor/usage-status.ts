/** What the supervisor reports of the kept sums of usage. */

import { errorText } from '../errors/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { UsageMetrics } from '../observability/usage-metrics.ts';
import type { UsageFollowerEvents } from '../usage/index.ts';

/** Counts what the follower does. A failure is logged when it begins and when it ends, not at every attempt. */
export function observeUsage(metrics: UsageMetrics, logger: Logger): UsageFollowerEvents {
  let reason = '';
  return {
    followed: (events) => metrics.followed.inc(events),
    lag: (events, lagMs) => {
      metrics.waiting.set(events);
      metrics.lag.set(lagMs / 1000);
    },
    succeeded: () => {
      if (reason !== '') logger.info({}, 'the sums of usage follow the journal again');
      reason = '';
    },
    failed: (error) => {
      metrics.failures.inc();
      const text = errorText(error);
      if (text === reason) return;
      reason = text;
      logger.warn(
        { reason },
        'the sums of usage do not follow the journal; answers stay exact and take longer',
      );
    },
  };
}
