/** `channel_binding=require`: the password is never proved to somebody who stands between this service and PostgreSQL. */

import type { Connection } from 'pg';

const WITH_BINDING = 'SCRAM-SHA-256-PLUS';

/**
 * Connects only if the server proves, over this very TLS connection, that it knows the password. pg can do this
 * (`enableChannelBinding`), but is also content with less. Call it for a connection that has not begun.
 */
export async function withChannelBinding(
  connection: Connection,
  connect: () => Promise<unknown>,
): Promise<void> {
  let proved = false;
  // These listeners run before pg's own, which then have no stream to answer on.
  const refuse = (): unknown => connection.stream.destroy(notBound());
  connection.on('authenticationCleartextPassword', refuse);
  connection.on('authenticationMD5Password', refuse);
  connection.on('authenticationSASL', ({ mechanisms }: { readonly mechanisms: readonly string[] }) => {
    if (!mechanisms.includes(WITH_BINDING)) refuse();
  });
  connection.on('authenticationSASLFinal', () => (proved = true));
  await connect();
  if (!proved) throw notBound();
}

function notBound(): Error {
  return new Error(
    'it does not authenticate with SCRAM-SHA-256-PLUS over TLS, which channel_binding=require in the URL asks for',
  );
}
