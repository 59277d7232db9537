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

import { EVENT_SUBJECTS } from './event-message.ts';
import { type StreamCondition, streamCondition } from './stream-condition.ts';

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

const SUBJECTS_OVERLAP_CODE = 10065;

/**
 * Makes the stream if it is missing, and says whether it stores the events. The settings of an existing stream
 * are an operator's: they stay. Rejects if JetStream does not answer or refuses.
 */
export async function checkStream(
  manager: JetStreamManager,
  options: StreamOptions,
): Promise<StreamCondition> {
  const info = await findStream(manager, options.name);
  if (info === undefined) return makeStream(manager, options);
  const condition = streamCondition(info.config);
  if (condition.faults.length === 0) return condition;
  const [owner] = await otherStreams(manager, options.name, EVENT_SUBJECTS);
  return streamCondition(info.config, owner);
}

/** What NATS says about a stream; undefined: there is none. */
export async function findStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)
      return undefined;
    throw error;
  }
}

async function makeStream(manager: JetStreamManager, options: StreamOptions): Promise<StreamCondition> {
  const { name, subjects } = options;
  try {
    const { config } = await manager.streams.add({
      name,
      subjects: [...subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      // `old` would silently drop the oldest events. `new` refuses new ones, and the journal keeps them.
      discard: DiscardPolicy.New,
      num_replicas: options.replicas,
      max_age: nanos(options.maxAgeMs),
      duplicate_window: nanos(options.duplicateWindowMs),
    });
    return streamCondition(config);
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    const owners = error.code === SUBJECTS_OVERLAP_CODE ? await otherStreams(manager, name, subjects) : [];
    const reason =
      owners.length > 0
        ? `other streams take its subjects ${subjects.join(', ')}: remove these from ${owners.join(', ')}`
        : error.message;
    return { faults: [`the stream ${name} cannot be made: ${reason}`], refusesAll: undefined, warnings: [] };
  }
}

/** The other streams that take any of the subjects; none if NATS does not tell. */
async function otherStreams(
  manager: JetStreamManager,
  name: string,
  subjects: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(
    subjects.map((subject) => manager.streams.find(subject).catch(() => undefined)),
  );
  return [...new Set(found)].filter((other) => other !== undefined && other !== name) as string[];
}
