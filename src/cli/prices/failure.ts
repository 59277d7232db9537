/** What a command about prices says and returns if a call fails. */

import { ServiceUnavailable } from '../client.ts';
import { EXIT } from '../command.ts';
import { CallRefused } from './service.ts';

/** Tells a person about a failed call and returns the exit status. Anything else is thrown on. */
export function failed(error: unknown, consequence: string): number {
  if (!(error instanceof ServiceUnavailable || error instanceof CallRefused)) throw error;
  const hint =
    error instanceof ServiceUnavailable
      ? ' Is the service running there? "npm start" starts it; --address HOST:PORT names another one.'
      : '';
  process.stderr.write(`${error.message}. ${consequence}${hint}\n`);
  return EXIT.failed;
}
