/** Commands of this program as a person types them. */

import { DEFAULT_LISTEN } from '../config.ts';

/** A word for a shell: quoted if it has to be. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command of this program as a person types it. */
export function commandLine(args: readonly string[], address: string): string {
  const place = address === DEFAULT_LISTEN ? [] : ['--address', address];
  return ['npx', 'charge', ...args, ...place].map(shellWord).join(' ');
}
