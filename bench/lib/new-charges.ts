/** Rows as the store's own statement takes them, for peers that write without the service. */

import { v7 as uuidv7 } from 'uuid';

import { contentHash } from '../../src/charges/canonical-content.ts';
import { timeOfChargeId } from '../../src/charges/charge-id.ts';
import { type ChargeContent, DEFAULT_TENANT } from '../../src/charges/charge.ts';
import type { ChargeRow } from '../../src/charges/entity.ts';
import { isHashedKey, requestKey } from '../../src/charges/store/request-key.ts';
import { RequestIds } from './request-ids.ts';
import { toContent, workloadRows } from './workload.ts';

/** Makes groups of charges, sorted by request key as the statement wants them. */
export type ChargeSource = (count: number) => ChargeRow[];

/**
 * Charges of the moment in which they are asked for, many of them in one millisecond. Hashes are made
 * once per row of the workload, beforehand: a bare writer has nothing to do but write.
 */
export function newChargeSource(): ChargeSource {
  const next = contentSource();
  const ids = new RequestIds();
  return (count) => sortedGroup(count, () => newCharge(next(), ids.next(), uuidv7()));
}

/** The same with request ids that are no UUIDs and as long as one. */
export function textIdChargeSource(): ChargeSource {
  const next = contentSource();
  const ids = new RequestIds();
  return (count) => sortedGroup(count, () => newCharge(next(), ids.next().replaceAll('-', '_'), uuidv7()));
}

/** Sessions that are open at the same time, and charges of each. */
const OPEN_SESSIONS = 64;
const ROWS_PER_SESSION = 20;
const GOLDEN_RATIO = 0x9e37_79b1;

/**
 * What a quiet service writes: a charge a millisecond, so that no two share a time, of sessions that
 * overlap and have random keys. No two neighbours in an index are written one after the other.
 */
export function spreadChargeSource(): ChargeSource {
  const next = contentSource();
  const ids = new RequestIds();
  const startedAtMs = Date.now();
  let index = 0;
  return (count) =>
    sortedGroup(count, () => {
      const row = next();
      const session =
        (index % OPEN_SESSIONS) + OPEN_SESSIONS * Math.floor(index / OPEN_SESSIONS / ROWS_PER_SESSION);
      const sessionKey = `session-${(Math.imul(session + 1, GOLDEN_RATIO) >>> 0).toString(16).padStart(8, '0')}`;
      const id = uuidv7({ msecs: startedAtMs + index++ });
      return newCharge({ ...row, content: { ...row.content, sessionKey } }, ids.next(), id);
    });
}

interface Content {
  readonly content: ChargeContent;
  readonly contentHash: string;
}

/** Goes round the workload. */
function contentSource(): () => Content {
  const rows = workloadRows().map((row): Content => {
    const content = toContent(row);
    return { content, contentHash: contentHash(content) };
  });
  let index = 0;
  return () => {
    const row = rows[index++ % rows.length];
    if (row === undefined) throw new RangeError('no rows');
    return row;
  };
}

function newCharge({ content, contentHash }: Content, requestId: string, id: string): ChargeRow {
  const key = requestKey(requestId);
  const createTimeMicros = timeOfChargeId(id);
  return {
    ...content,
    tenant: DEFAULT_TENANT,
    id,
    requestKey: key,
    hashedRequestId: isHashedKey(key) ? requestId : '',
    contentHash,
    usageTimeMicros: content.usageTimeMicros ?? createTimeMicros,
    createTimeMicros,
    traceparent: '',
  };
}

function sortedGroup(count: number, make: () => ChargeRow): ChargeRow[] {
  return Array.from({ length: count }, make).sort((a, b) => (a.requestKey < b.requestKey ? -1 : 1));
}
