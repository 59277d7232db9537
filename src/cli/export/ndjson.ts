/** Charges as NDJSON: on each line the charge in proto3 JSON, and its request id. */

import { Charge } from '../../../generated/charge/v1/charge.ts';
import { timeText } from '../time.ts';
import type { Item } from './item.ts';
import type { LineFormat } from './line-format.ts';

export function ndjsonFormat(): LineFormat<Item> {
  return { head: '', lines: (items) => items.map((item) => `${JSON.stringify(jsonOf(item))}\n`).join('') };
}

/**
 * `requestId` and the members of the charge. The generated code would cut times to milliseconds, and loses a label
 * whose key means something to JavaScript (`__proto__`).
 */
function jsonOf({ requestId, charge }: Item): object {
  const { usageTime, createTime, updateTime, labels } = charge;
  const bare = { ...charge, usageTime: undefined, createTime: undefined, updateTime: undefined };
  return {
    requestId,
    ...(Charge.toJSON({ ...bare, labels: new Map<string, string>() }) as object),
    ...(labels.size > 0 && { labels: Object.fromEntries(labels.entries()) }),
    usageTime: timeText(usageTime),
    createTime: timeText(createTime),
    updateTime: timeText(updateTime),
  };
}
