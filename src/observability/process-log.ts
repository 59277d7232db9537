/** Makes log lines of what Node and libraries would print as text. */

import { format } from 'node:util';

import { describeError } from '../errors/describe-error.ts';
import type { Logger } from './logger.ts';

/** Warnings with different texts that are logged; a warning may have been caused by a client. */
const WARNINGS_MAX = 100;
const CONSOLE = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' } as const;

/**
 * From now on Node's warnings, whatever is written to the console, and errors that nothing handles are lines of this
 * log. Such an error ends the process with status 1, as it does without this. Only V8 itself still prints text, when
 * it aborts because memory is exhausted.
 */
export function logProcessEvents(logger: Logger): void {
  const seen = new Set<string>();
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    if (seen.has(message) || seen.size >= WARNINGS_MAX) return;
    seen.add(message);
    logger.warn({ warning: name }, message);
  });
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ origin, error: describeError(error) }, 'the process ends: nothing handles this error');
    process.exit(1);
  });
  for (const [method, level] of Object.entries(CONSOLE)) {
    // eslint-disable-next-line no-console -- it is replaced, not used
    console[method as keyof typeof CONSOLE] = (...args: unknown[]) => logger[level]({}, format(...args));
  }
}
