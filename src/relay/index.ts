/** What the process roots use of the relay. */

export { encodeCommittedEvents } from './committed-events.ts';
export { relayEntities } from './entity.ts';
export type { EventFormat } from './event-message.ts';
export { createRelay } from './open-relay.ts';
export { createStreamComparison, type StreamFinding } from './compare-stream.ts';
export type { Publishing, Relay, RelayEvents } from './relay.ts';
export { readOldestUnpublishedMs } from './store/oldest-event.ts';
export { readUnpublished, type Unpublished } from './store/relay-state.ts';
