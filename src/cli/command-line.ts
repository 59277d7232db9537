/** Commands of this program as a person types them. */

import type { Server } from './connection.ts';

/** A word for a shell: quoted if it has to be. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command of this program as a person types it, for the same service. */
export function commandLine(args: readonly string[], { flags }: Pick<Server, 'flags'>): string {
  return ['npx', 'charge', ...args, ...flags].map(shellWord).join(' ');
}
