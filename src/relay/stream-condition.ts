/** What the settings of a stream mean for the events: whether it stores them, and whether it keeps them. */

import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';

import { EVENT_PATTERNS } from './event-message.ts';

/** Sentences for operators: each says what is wrong and what to change. */
export interface StreamCondition {
  /** Why an event that is published now would not be stored or acknowledged. Events wait meanwhile. */
  readonly faults: readonly string[];
  /** Why every event becomes a dead letter, although the stream takes messages. */
  readonly refusesAll: string | undefined;
  /** Events are stored, but not kept as `EVENT_MAX_AGE_DAYS` promises. */
  readonly warnings: readonly string[];
}

/** The headers alone have more bytes, so no event fits into a smaller message. */
export const EVENT_BYTES_MIN = 512;
/** The largest event that the contract allows, an amendment with two charges, is smaller with its headers. */
const EVENT_BYTES_MAX = 64 * 1024;

/** `owner`: the other stream that takes a subject of the events, if that is known. */
export function streamCondition(config: StreamConfig, owner?: string): StreamCondition {
  const { name, subjects = [], mirror, max_msg_size } = config;
  const stream = `the stream ${name}`;
  const remake = 'delete it, and the service makes it again';
  const missing = missingSubjects(subjects, EVENT_PATTERNS);
  const isDiscardNew = config.discard === DiscardPolicy.New;
  const takesNone = max_msg_size > 0 && max_msg_size < EVENT_BYTES_MIN;
  const faults = [
    mirror && `${stream} is a mirror of ${mirror.name}, which takes no events: ${remake}`,
    config.sealed && `${stream} is sealed, so it takes no events: ${remake}`,
    config.no_ack && `${stream} gives no acknowledgement (no_ack is true): set no_ack to false`,
    !mirror && missing.length > 0 && doesNotTake(name, missing, subjects, owner),
  ];
  const dropping = Object.entries({
    max_msgs: isDiscardNew ? 0 : config.max_msgs,
    max_bytes: isDiscardNew ? 0 : config.max_bytes,
    max_msgs_per_subject: config.discard_new_per_subject ? 0 : config.max_msgs_per_subject,
  }).filter(([, limit]) => limit > 0);
  const limits = dropping.map(([limit, value]) => `${limit}: ${value}`).join(', ');
  const warnings = [
    limits !== '' &&
      `${stream} drops old events when it reaches its limit (${limits}; discard: ${config.discard}): ` +
        'remove the limit, or let it refuse new events instead, which then wait in PostgreSQL',
    config.retention === RetentionPolicy.Workqueue &&
      `${stream} drops each event after one consumer has read it (retention: workqueue)`,
    config.retention === RetentionPolicy.Interest &&
      `${stream} drops events that no consumer subscribes to (retention: interest)`,
    config.storage === StorageType.Memory &&
      `${stream} keeps events in memory: a restart of NATS loses them (storage: memory)`,
    config.subject_transform &&
      `${stream} stores events under another subject (subject_transform): consumers of ` +
        `${EVENT_PATTERNS.join(', ')} may not get them`,
    max_msg_size > 0 &&
      max_msg_size < EVENT_BYTES_MAX &&
      `${stream} takes at most ${max_msg_size} bytes (max_msg_size): a larger event becomes a dead letter`,
  ];
  return {
    faults: faults.filter(isSentence),
    refusesAll: takesNone
      ? `${stream} takes at most ${max_msg_size} bytes, so every event becomes a dead letter: raise max_msg_size`
      : undefined,
    warnings: warnings.filter(isSentence),
  };
}

/** Those of `wanted`, subjects or patterns, that a stream with these subjects does not take, or not all of. */
export function missingSubjects(subjects: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((subject) => !takesSubject(subjects, subject));
}

/** What an operator does about the broker's refusal. */
export function streamIsFull(stream: string, refusal: string): string {
  return `the stream ${stream} is full (${refusal}): raise its limit or remove messages`;
}

function doesNotTake(
  name: string,
  missing: readonly string[],
  subjects: readonly string[],
  owner: string | undefined,
): string {
  const listed = subjects.length > 0 ? `its subjects are ${subjects.join(', ')}` : 'it has no subjects';
  const wanted = missing.join(', ');
  const remedy =
    owner === undefined ? `add ${wanted}` : `remove them from the stream ${owner} and add them here`;
  return `the stream ${name} does not take ${wanted} (${listed}): ${remedy}`;
}

/** NATS's wildcards: `*` is one token, `>` at the end is one or more. */
function takesSubject(patterns: readonly string[], subject: string): boolean {
  const tokens = subject.split('.');
  return patterns.some((pattern) => {
    const parts = pattern.split('.');
    const isOpen = parts.at(-1) === '>';
    const fixed = isOpen ? parts.slice(0, -1) : parts;
    const fits = fixed.every(
      (part, index) => part === tokens[index] || (part === '*' && tokens[index] !== '>'),
    );
    return fits && (isOpen ? tokens.length > fixed.length : tokens.length === fixed.length);
  });
}

function isSentence(value: unknown): value is string {
  return typeof value === 'string';
}
