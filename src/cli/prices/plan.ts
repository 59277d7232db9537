/** Compares the prices of a file with the versions that the service has. */

import { createHash } from 'node:crypto';
import { Price, type CreatePriceRequest } from '../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import type { FilePrice, PriceFile } from './price-file.ts';
import { basisText, keyText } from './price-text.ts';
import { BEGINNING, microsOf, timestampOf } from './time.ts';

/** A version to add. */
export interface Addition extends FilePrice {
  readonly request: CreatePriceRequest;
  /** What is in force at that time. Undefined: nothing. */
  readonly inForce: Price | undefined;
}

/** What an import would do. */
export interface PricePlan {
  /** Versions to add, those of one key in the order of their times. */
  readonly additions: readonly Addition[];
  readonly unchanged: number;
  /** Prices in force that came from a file like this and that this one does not have. The import leaves them. */
  readonly gone: readonly Price[];
  /** Other prices than those in force, which did not come from a catalogue: they are not added. */
  readonly kept: readonly Addition[];
  /** Versions that would take effect in the past although their keys have versions. */
  readonly past: readonly Addition[];
}

/** What decides when a price comes into force. */
export interface PlanOptions {
  /** When changed prices come into force; undefined: now. */
  readonly effectiveTime: Timestamp | undefined;
  readonly allowPast: boolean;
  /** A catalogue also replaces prices that did not come from a catalogue, such as negotiated ones. */
  readonly replaceOthers: boolean;
  /** Microseconds since 1970. */
  readonly now: bigint;
}

/** The service allows for clocks that differ by so much. */
const PAST_MICROS = 5n * 60_000_000n;

/** Versions of each key, in the order in which they are in force. */
export type History = ReadonlyMap<string, readonly Price[]>;

/** Sorts the versions of every key. */
export function historyOf(versions: readonly Price[]): History {
  const history = new Map<string, Price[]>();
  for (const price of versions) {
    const text = keyText(price.key);
    const list = history.get(text);
    if (list) list.push(price);
    else history.set(text, [price]);
  }
  for (const list of history.values()) list.sort(byStart);
  return history;
}

/** Of two versions that begin at the same time the later one counts. */
function byStart(a: Price, b: Price): number {
  const [start, other] = [startOf(a), startOf(b)];
  if (start !== other) return start < other ? -1 : 1;
  return a.version < b.version ? -1 : 1;
}

/** The version that prices usage at this moment: of those that began until then the last one. */
export function inForceAt(versions: readonly Price[] | undefined, micros: bigint): Price | undefined {
  return versions?.findLast((price) => startOf(price) <= micros);
}

/** Every price that is in force at this moment. */
export function pricesAt(history: History, micros: bigint): Price[] {
  return [...history.values()].flatMap((versions) => inForceAt(versions, micros) ?? []);
}

/** A price of a file with the time from which on it is to be in force. */
interface Timed {
  readonly filePrice: FilePrice;
  readonly keyText: string;
  /** Undefined: now. */
  readonly effectiveTime: Timestamp | undefined;
  readonly micros: bigint;
}

/** Compares a file with the versions that the service has. */
export function planPrices(file: PriceFile, stored: readonly Price[], options: PlanOptions): PricePlan {
  const history = historyOf(stored);
  // With the additions so far: what one version changes, a later one of the file may have to change back.
  const planned = new Map<string, readonly Price[]>(history);
  const additions: Addition[] = [];
  const kept: Addition[] = [];
  const past: Addition[] = [];
  const timed = timesOf(file, history, options);
  for (const { filePrice, keyText: text, effectiveTime, micros } of timed) {
    const versions = planned.get(text) ?? [];
    const current = inForceAt(versions, micros);
    if (current && basisText(current) === basisText(filePrice.price)) continue;
    const inForce = inForceAt(history.get(text), micros);
    const price = { ...filePrice.price, effectiveTime };
    // Several versions of a new key make its history. None of them changes what others rely on.
    const allowPast = options.allowPast || (!history.has(text) && versions.length > 0);
    const request = { price, requestId: requestIdOf(price, current), allowPast };
    const addition = { price, origin: filePrice.origin, request, inForce };
    const isOfOthers = inForce !== undefined && !inForce.source.startsWith(file.sourcePrefix);
    if (file.format === 'litellm' && isOfOthers && !options.replaceOthers) {
      kept.push(addition);
      continue;
    }
    additions.push(addition);
    if (versions.length > 0 && micros < options.now - PAST_MICROS && !allowPast) past.push(addition);
    const version = BigInt(stored.length + additions.length);
    planned.set(text, [...versions, { ...price, effectiveTime: timestampOf(micros), version }].sort(byStart));
  }
  const named = new Set(timed.map(({ keyText: text }) => text));
  const gone = pricesAt(history, options.now).filter(
    ({ key, source, basis }) =>
      !named.has(keyText(key)) && source.startsWith(file.sourcePrefix) && basis?.$case !== 'withdrawn',
  );
  const unchanged = timed.length - additions.length - kept.length;
  return { additions, unchanged, gone, kept, past };
}

/** In the order of the file, but the prices of one key together and in the order of their times. */
function timesOf(
  file: PriceFile,
  history: History,
  { effectiveTime: changeTime, now }: PlanOptions,
): Timed[] {
  const timed = file.prices.map((filePrice): Timed => {
    const text = keyText(filePrice.price.key);
    const effectiveTime = filePrice.price.effectiveTime ?? (history.has(text) ? changeTime : BEGINNING);
    return { filePrice, keyText: text, effectiveTime, micros: effectiveTime ? microsOf(effectiveTime) : now };
  });
  const groups = Map.groupBy(timed, ({ keyText: text }) => text);
  return [...groups.values()].flatMap((group) => group.sort((a, b) => (a.micros < b.micros ? -1 : 1)));
}

/**
 * Made from the price and from the version that it replaces: sent again, the request is the same; a price that
 * comes back later has another one.
 */
function requestIdOf(price: Price, inForce: Price | undefined): string {
  const hash = createHash('sha256').update(Price.encode(price).finish());
  return `prices-${hash.update(`#${inForce?.version ?? 0}`).digest('hex')}`;
}

function startOf({ effectiveTime }: Price): bigint {
  return microsOf(effectiveTime ?? BEGINNING);
}
