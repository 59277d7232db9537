/** Rows as the store's own statement takes them, for peers that write without the service. */

import { v7 as uuidv7 } from 'uuid';

import { contentHash } from '../../src/domain/canonical-content.ts';
import type { NewCharge } from '../../src/store/charge-row.ts';
import { requestKey } from '../../src/store/request-key.ts';
import { RequestIds } from './request-ids.ts';
import { toContent, workloadRows } from './workload.ts';

/**
 * Makes groups of charges, sorted by request id as the statement wants them. Hashes are made once
 * per row of the workload, beforehand: a bare writer has nothing to do but write.
 */
export function newChargeSource(): (count: number) => NewCharge[] {
  const rows = workloadRows().map((row) => {
    const content = toContent(row);
    return { content, contentHash: contentHash(content) };
  });
  const ids = new RequestIds();
  let index = 0;
  return (count) => {
    const createTimeMicros = BigInt(Date.now()) * 1000n;
    const charges = Array.from({ length: count }, (): NewCharge => {
      const row = rows[index++ % rows.length];
      if (row === undefined) throw new RangeError('no rows');
      const requestId = ids.next();
      return {
        ...row,
        id: uuidv7(undefined, new Uint8Array(16)),
        requestId,
        requestKey: requestKey(requestId),
        createTimeMicros,
        traceparent: undefined,
      };
    });
    return charges.sort((a, b) => (a.requestId < b.requestId ? -1 : 1));
  };
}
