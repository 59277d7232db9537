/** The JetStream stream that keeps the events: made if it is missing; if it exists, only subjects are added to it. */

import {
  DiscardPolicy,
  type JetStreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';

import { EVENT_PATTERNS } from './event-message.ts';
import { missingSubjects, type StreamCondition, streamCondition } from './stream-condition.ts';

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
const CHARGE_SUBJECTS = 'charge.>';

/**
 * Makes the stream if it is missing, and says whether it stores the events. The settings of an existing stream are an
 * operator's: they stay, and only subjects of later versions are added. Rejects if JetStream does not answer or refuses.
 */
export async function checkStream(
  manager: JetStreamManager,
  options: StreamOptions,
): Promise<StreamCondition> {
  const info = await findStream(manager, options.name);
  if (info === undefined) return makeStream(manager, options);
  const config = await addSubjects(manager, info.config, options.subjects);
  const condition = streamCondition(config);
  if (condition.faults.length === 0) return condition;
  const [owner] = await otherStreams(manager, options.name, EVENT_PATTERNS);
  return streamCondition(config, owner);
}

/** Of a stream that takes none of the charges, somebody wants something else: it stays as it is. */
async function addSubjects(
  manager: JetStreamManager,
  config: StreamConfig,
  wanted: readonly string[],
): Promise<StreamConfig> {
  const { name, subjects = [] } = config;
  const missing = missingSubjects(subjects, wanted);
  if (missing.length === 0 || missing.includes(CHARGE_SUBJECTS)) return config;
  try {
    return (await manager.streams.update(name, { subjects: [...subjects, ...missing] })).config;
  } catch (error) {
    // Another stream has them, or it is sealed. If an event needs them, the condition says so.
    if (error instanceof JetStreamApiError) return config;
    throw error;
  }
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
    subjects.map((subject) =>
      manager.streams
        .names(subject)
        .next()
        .catch(() => []),
    ),
  );
  return [...new Set(found.flat())].filter((other) => other !== name);
}
