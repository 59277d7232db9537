/** Batch requests: messages whose field 1 holds the items. */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

import { type Codec, decodeStrictly } from './codec.ts';

/** A request with items. */
export interface BatchRequest<Item> {
  requests: Item[];
}

const REQUESTS_FIELD = 1;

/**
 * The request that the bytes hold, or undefined if they hold none. A batch with more items than allowed is not decoded:
 * 4 MiB can hold two million empty ones. Its items are `placeholder` then, one more than allowed.
 */
export function decodeBatch<Item>(
  codec: Codec<BatchRequest<Item>>,
  bytes: Uint8Array,
  itemsMax: number,
  placeholder: Item,
): BatchRequest<Item> | undefined {
  const items = countItems(bytes, itemsMax + 1);
  if (items === undefined) return undefined;
  if (items <= itemsMax) return decodeStrictly(codec, bytes);
  return { requests: new Array<Item>(items).fill(placeholder) };
}

/** How many items the bytes hold, counting up to `max`; undefined if they are not a message. */
function countItems(bytes: Uint8Array, max: number): number | undefined {
  const reader = new BinaryReader(bytes);
  let items = 0;
  try {
    while (reader.pos < reader.len && items < max) {
      const [field, wireType] = reader.tag();
      if (field === REQUESTS_FIELD && wireType === WireType.LengthDelimited) items++;
      reader.skip(wireType, field);
    }
    return items;
  } catch {
    return undefined;
  }
}
