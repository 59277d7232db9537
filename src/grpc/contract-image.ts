/** The contract's descriptors as `buf build` wrote them, with every option. */

import { readFileSync } from 'node:fs';

import { BinaryReader } from '@bufbuild/protobuf/wire';

const FILE_FIELD_TAG = 0x0a;

/** The bytes of a `google.protobuf.FileDescriptorSet` with every file of the contract. */
export function readContractImage(): Buffer {
  return readFileSync(new URL('../../generated/charge.binpb', import.meta.url));
}

/** The bytes of each `google.protobuf.FileDescriptorProto` of an image, untouched. */
export function filesOfImage(image: Uint8Array): Uint8Array[] {
  const reader = new BinaryReader(image);
  const files: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === FILE_FIELD_TAG) files.push(reader.bytes());
    else reader.skip(tag & 7);
  }
  return files;
}
