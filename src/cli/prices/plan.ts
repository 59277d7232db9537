/** Compares the prices of a file with the versions that the service has. */

import { createHash } from 'node:crypto';
import { Price, type CreatePriceRequest } from '../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import type { FilePrice, PriceFile } from './price-file.ts';
import { basisText, keyText } from './price-text.ts';
import { BEGINNING, microsOf } from './time.ts';

/** A version to add. */
export interface Addition extends FilePrice {
  readonly request: CreatePriceRequest;
  /** What is in force at that time. Undefined: nothing. */
  readonly inForce: Price | undefined;
}

/** What an import would do. */
export interface PricePlan {
  /** Versions to add, aliases last: what they name may be among the others. */
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
  for (const list of history.values())
    list.sort((a, b) =>
      startOf(a) === startOf(b) ? (a.version < b.version ? -1 : 1) : startOf(a) < startOf(b) ? -1 : 1,
    );
  return history;
}

/** The version that prices usage at this moment: of those that began until then the last one. */
export function inForceAt(versions: readonly Price[] | undefined, micros: bigint): Price | undefined {
  return versions?.findLast((price) => startOf(price) <= micros);
}

/** Every price that is in force at this moment. */
export function pricesAt(history: History, micros: bigint): Price[] {
  return [...history.values()].flatMap((versions) => inForceAt(versions, micros) ?? []);
}

/** Compares a file with the versions that the service has. */
export function planPrices(file: PriceFile, stored: readonly Price[], options: PlanOptions): PricePlan {
  const history = historyOf(stored);
  const named = new Set<string>();
  const additions: Addition[] = [];
  const past: Addition[] = [];
  const kept: Addition[] = [];
  let unchanged = 0;
  for (const filePrice of file.prices) {
    const text = keyText(filePrice.price.key);
    const versions = history.get(text);
    const effectiveTime = filePrice.price.effectiveTime ?? (versions ? options.effectiveTime : BEGINNING);
    const inForce = inForceAt(versions, effectiveTime ? microsOf(effectiveTime) : options.now);
    if (inForce && basisText(inForce) === basisText(filePrice.price)) unchanged += 1;
    else {
      const price = { ...filePrice.price, effectiveTime };
      // Several versions of a new key make its history. None of them changes what others rely on.
      const allowPast = options.allowPast || (!versions && named.has(text));
      const request = { price, requestId: requestIdOf(price, inForce), allowPast };
      const addition = { price, origin: filePrice.origin, request, inForce };
      const isOfOthers = inForce !== undefined && !inForce.source.startsWith(file.sourcePrefix);
      const isKept = file.format === 'litellm' && isOfOthers && !options.replaceOthers;
      (isKept ? kept : additions).push(addition);
      const isPast = effectiveTime !== undefined && microsOf(effectiveTime) < options.now - PAST_MICROS;
      if (versions && isPast && !allowPast && !isKept) past.push(addition);
    }
    named.add(text);
  }
  const gone = pricesAt(history, options.now).filter(
    ({ key, source, basis }) =>
      !named.has(keyText(key)) && source.startsWith(file.sourcePrefix) && basis?.$case !== 'withdrawn',
  );
  const aliasesLast = additions.sort((a, b) => Number(isAlias(a)) - Number(isAlias(b)));
  return { additions: aliasesLast, unchanged, gone, kept, past };
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

function isAlias({ price }: Addition): boolean {
  return price.basis?.$case === 'alias';
}
