/** Charges as the service's own write statement takes them, for peers that write without the service. */

import { v7 as uuidv7 } from 'uuid';

import { contentHash } from '../../src/charges/canonical-content.ts';
import { DEFAULT_TENANT } from '../../src/tenants/tenant.ts';
import { timeOfChargeId } from '../../src/charges/charge-id.ts';
import type { ChargeRow } from '../../src/charges/entity.ts';
import { NOT_PRICED } from '../../src/prices/index.ts';
import { isHashedKey, requestKey } from '../../src/charges/store/request-key.ts';
import { RequestIds } from './request-ids.ts';
import { toContent, workloadRows } from './workload.ts';

/** Makes groups of charges, sorted by request key as the statement expects. */
export type ChargeSource = (count: number) => ChargeRow[];

/**
 * Charges with ids of the moment in which they are asked for, and random request ids. Content hashes are
 * made once per row of the workload, beforehand: a bare writer does nothing but write.
 */
export function newChargeSource(): ChargeSource {
  const ids = new RequestIds();
  const rows = workloadRows().map((row) => {
    const content = toContent(row);
    return { content, contentHash: contentHash(content) };
  });
  let index = 0;
  const next = (): ChargeRow => {
    const row = rows[index++ % rows.length];
    if (row === undefined) throw new RangeError('no rows');
    const id = uuidv7();
    const requestId = ids.next();
    const key = requestKey(requestId);
    const createTimeMicros = timeOfChargeId(id);
    return {
      ...row.content,
      tenant: DEFAULT_TENANT,
      id,
      requestKey: key,
      hashedRequestId: isHashedKey(key) ? requestId : '',
      contentHash: row.contentHash,
      usageTimeMicros: row.content.usageTimeMicros ?? createTimeMicros,
      createTimeMicros,
      ...NOT_PRICED,
      amends: '',
      importId: '',
      traceparent: '',
    };
  };
  return (count) =>
    Array.from({ length: count }, next).sort((a, b) => (a.requestKey < b.requestKey ? -1 : 1));
}
