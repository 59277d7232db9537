/** Runs the service until a signal ends it. */

import type { Config } from '../config.ts';
import { describeError, errorText } from '../errors/describe-error.ts';
import { StartError } from '../errors/start-error.ts';
import { createLogger } from '../observability/logger.ts';
import { type Service, startService } from './supervisor.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const EXIT_FORCED = 130;

/**
 * Starts the service, waits for SIGINT or SIGTERM, and stops it in order. A second signal ends it at
 * once; what was acknowledged is stored either way. Resolves to whether all went well.
 */
export async function runSupervisor(config: Config): Promise<boolean> {
  const logger = createLogger(config.logLevel, 'charge-service');
  const ending = Promise.withResolvers<boolean>();
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(EXIT_FORCED);
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
    if (stopping.signal.aborted) return true;
    const details = error instanceof StartError ? {} : { error: describeError(error) };
    logger.fatal(details, `the service did not start: ${errorText(error)}`);
    return false;
  }
  const clean = await ending.promise;
  await service.stop();
  return clean;
}
