/** Runs the service until a signal ends it. */

import type { Config } from '../config.ts';
import { describeError, errorText } from '../errors/describe-error.ts';
import { StartError } from '../errors/start-error.ts';
import { createLogger } from '../observability/logger.ts';
import { type Service, startService } from './supervisor.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const EXIT_FORCED = 130;
/** npm passes on a Ctrl-C that the terminal has sent to this process too. Signals so close together are one. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Starts the service, waits for SIGINT or SIGTERM, and stops it in order. A second signal, a second later or
 * more, ends it at once; what was acknowledged is stored either way. Resolves to whether all went well.
 */
export async function runSupervisor(config: Config): Promise<boolean> {
  const logger = createLogger(config.logLevel, 'charge-service');
  const ending = Promise.withResolvers<boolean>();
  const stopping = new AbortController();
  let firstSignalAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    firstSignalAt ??= performance.now();
    if (stopping.signal.aborted) {
      if (performance.now() - firstSignalAt < SAME_SIGNAL_MS) return;
      logger.warn({ signal }, 'ended at once by a second signal');
      process.exit(EXIT_FORCED);
    }
    stopping.abort();
    logger.info({ signal }, 'stopping; a second signal ends the service at once');
    ending.resolve(true);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  const onFatal = (reason: string): void => {
    logger.fatal({}, `stopping: ${reason}`);
    ending.resolve(false);
  };

  let service: Service;
  try {
    service = await startService(config, logger, onFatal, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) {
      logger.info('stopped before it was ready');
      return true;
    }
    const details = error instanceof StartError ? {} : { error: describeError(error) };
    logger.fatal(details, `the service did not start: ${errorText(error)}`);
    return false;
  }
  const clean = await ending.promise;
  await service.stop();
  return clean;
}
