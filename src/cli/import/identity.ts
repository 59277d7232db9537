/**
 * The request id of a row. It belongs to the event and not to the place of the row, so that a file which is
 * exported again, in another order, with more rows or columns or saved by a spreadsheet, adds only what is new.
 *
 * If the file has ids of events, they are the request ids. Otherwise the id is made from what the row says
 * about the event ({@link factsOf}) and from its number among rows that say the same.
 */

import { createHash } from 'node:crypto';
import type { ColumnPlan } from './columns.ts';
import type { Draft } from './draft.ts';
import type { Cell } from './row.ts';
import { parseTimestamp } from './timestamp.ts';

/**
 * What a row itself says about its event: time, user, model and counts, as they are read. Constants of flags,
 * labels and all other fields are left out, so that other flags or one column more find the charges of
 * before: a difference is then reported as a conflict and not charged again.
 */
export function factsOf({ charge, filled, offsetMs }: Draft): string {
  const { usageTime: time, userProfile, model, promptTokens, completionTokens, totalTokens } = charge;
  const hasCounts = filled.has('prompt_tokens') || filled.has('completion_tokens');
  const counts = hasCounts ? [promptTokens, completionTokens] : [totalTokens];
  // The service keeps microseconds.
  const moment = time ? `${time.seconds}.${Math.trunc(time.nanos / 1000)}` : (offsetMs ?? '');
  return JSON.stringify([moment, userProfile, model, ...counts.map(String)]);
}

/** What programs write if there is no id. */
const NO_ID = /^(|-|none|null|nil|nan|n\/a|undefined)$/i;

/**
 * The id that stands in the columns of the request id; undefined: they have none. One column is taken as it
 * is; several, and text that the service does not take as a request id, become a hash.
 */
export function idInRow({ id }: Pick<ColumnPlan, 'id'>, cells: readonly Cell[]): string | undefined {
  const values = id.map((choices) =>
    choices.map((index) => valueOf(cells[index])).find((value) => value !== undefined),
  );
  const [first] = values;
  if (values.every((value) => value === undefined)) return undefined;
  if (values.length === 1 && first !== undefined && /^[ -~]{1,128}$/.test(first)) return first;
  return `import:${hashOf(JSON.stringify(values.map(plainValue)))}`;
}

/** A part of a bucket's id as it was before a spreadsheet wrote `FALSE` or another form of its time. */
function plainValue(value: string | undefined): string | null {
  if (value === undefined || /^\d+$/.test(value)) return value ?? null;
  if (/^(?:true|false)$/i.test(value)) return value.toLowerCase();
  const time = parseTimestamp(value);
  return time ? `${time.seconds}.${time.nanos}` : value;
}

function valueOf(cell: Cell): string | undefined {
  const text = typeof cell === 'string' ? cell.trim() : '';
  return NO_ID.test(text) ? undefined : text;
}

/** The request id of a row without an id: at most 60 printable ASCII characters. `number` counts from 1. */
export function requestIdOf(facts: string, number: number): string {
  return `import:${hashOf(facts)}:${number}`;
}

const ID_LENGTH_MAX = 128;

/** A request id with a prefix of at most 64 characters. One that would be too long becomes a hash. */
export function withPrefix(prefix: string, id: string): string {
  const text = prefix + id;
  return text.length <= ID_LENGTH_MAX ? text : `${prefix}import:${hashOf(id)}`;
}

/** Whether this is the id of a row of which the file has an equal one before it. */
export function isLaterEqualRow(requestId: string): boolean {
  return /import:[\w-]{22}:(?!1$)\d+$/.test(requestId);
}

/** 132 bits of a hash, in 22 characters. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** 48 bits of a hash. */
export function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}

/** At this size a table takes 512 MB. Larger files have to be split. */
const KEYS_MAX = 16_000_000;

/**
 * Numbers by the hash of a text, in 32 to 64 bytes a key: files have millions of rows, and a Map of strings
 * would need several times as much and end at 16.7 million. Throws a RangeError above {@link KEYS_MAX} keys.
 */
export class NumberTable {
  #keys = new BigUint64Array(2048);
  #numbers = new Float64Array(2048);
  size = 0;

  /** The number of a text; undefined: none was set. */
  get(text: string): number | undefined {
    const slot = this.#slotOf(keyOf(text));
    return this.#keys[slot] === 0n ? undefined : this.#numbers[slot];
  }

  set(text: string, number: number): void {
    this.#put(keyOf(text), number);
    if (this.size * 2 > this.#keys.length) this.#grow();
  }

  /** Adds 1 and returns the new number. */
  count(text: string): number {
    const number = (this.get(text) ?? 0) + 1;
    this.set(text, number);
    return number;
  }

  #put(key: bigint, number: number): void {
    const slot = this.#slotOf(key);
    if (this.#keys[slot] === 0n) this.size += 1;
    this.#keys[slot] = key;
    this.#numbers[slot] = number;
  }

  #slotOf(key: bigint): number {
    const mask = this.#keys.length - 1;
    let slot = Number(key & 0xffffffffn) & mask;
    while (this.#keys[slot] !== 0n && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    if (this.size > KEYS_MAX)
      throw new RangeError(`the file has more than ${KEYS_MAX} different rows: split it`);
    const [keys, numbers] = [this.#keys, this.#numbers];
    this.#keys = new BigUint64Array(keys.length * 2);
    this.#numbers = new Float64Array(keys.length * 2);
    this.size = 0;
    keys.forEach((key, slot) => {
      if (key !== 0n) this.#put(key, numbers[slot] ?? 0);
    });
  }
}

/** 64 bits of a hash; 0 means an empty slot. */
function keyOf(text: string): bigint {
  const key = createHash('sha1').update(text).digest().readBigUInt64LE();
  return key === 0n ? 1n : key;
}
