/** What a command about prices says and returns if a call fails. */

import { ServiceUnavailable } from '../client.ts';
import { EXIT } from '../command.ts';
import { CallRefused } from './service.ts';

/** Tells a person about a failed call, and a program with `json`. Returns the exit status. Throws anything else on. */
export function failed(error: unknown, consequence: string, json = false): number {
  if (!(error instanceof ServiceUnavailable || error instanceof CallRefused)) throw error;
  const hint =
    error instanceof ServiceUnavailable
      ? ' Is the service running there? "npm start" starts it; --address HOST:PORT names another one.'
      : '';
  process.stderr.write(`${error.message}. ${consequence}${hint}\n`);
  const isRefused = error instanceof CallRefused;
  if (json)
    process.stdout.write(
      `${JSON.stringify({ status: isRefused ? 'refused' : 'aborted', error: error.message })}\n`,
    );
  return isRefused ? EXIT.rejected : EXIT.failed;
}
