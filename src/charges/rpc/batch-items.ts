/** Looks at a BatchCreateChargesRequest without decoding its items. */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

const REQUESTS_FIELD = 1;

/** How many items the bytes hold, counting up to `max`; undefined where they are no message. */
export function countItems(bytes: Uint8Array, max: number): number | undefined {
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
