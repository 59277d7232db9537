/** The JetStream stream that keeps the events: made if it is missing, never changed if it exists. */

import {
  DiscardPolicy,
  type JetStreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';

/** Settings of a stream that this service makes. */
export interface StreamOptions {
  readonly name: string;
  /** Every subject of this product, so that later events need no change of the stream. */
  readonly subjects: readonly string[];
  /** Copies in a NATS cluster: 1, 3 or 5. */
  readonly replicas: number;
  /** How long the broker keeps an event; WatchCharges has them for ever. */
  readonly maxAgeMs: number;
  /** How long the broker remembers message ids. */
  readonly duplicateWindowMs: number;
}

/** Makes sure that the stream exists. The settings of an existing one are an operator's: they stay. */
export async function ensureStream(manager: JetStreamManager, options: StreamOptions): Promise<StreamInfo> {
  try {
    return await manager.streams.info(options.name);
  } catch (error) {
    const missing = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
    if (!missing) throw error;
  }
  return manager.streams.add({
    name: options.name,
    subjects: [...options.subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // `old` would silently drop the oldest events. `new` refuses new ones, and the journal keeps them.
    discard: DiscardPolicy.New,
    num_replicas: options.replicas,
    max_age: nanos(options.maxAgeMs),
    duplicate_window: nanos(options.duplicateWindowMs),
  });
}
