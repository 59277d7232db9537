/** For suites that look at the stream, not at the relay. */
import type { RelayEvents } from '../../../src/relay/relay.ts';

/** Tells nobody. */
export const silentRelayEvents: RelayEvents = {
  connected: () => undefined,
  publishing: () => undefined,
  streamWarning: () => undefined,
  leading: () => undefined,
  published: () => undefined,
  deadLetter: () => undefined,
  failed: () => undefined,
};
