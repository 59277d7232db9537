/** The names for people that the contract gives to enum values. */

import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, getOption, type DescExtension } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const IMAGE = new URL('../../../../generated/charge.binpb', import.meta.url);

/** Finds the label of a value: `OpenAI`. Empty: it has none. */
export type LabelOf = (enumName: 'Provider' | 'ChargeType', value: number) => string;

/** Reads the descriptors, which takes about 0.2 s. */
export function readLabels(): LabelOf {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(IMAGE)));
  const label = registry.getExtension('charge.v1.label') as DescExtension;
  const known = new Map<string, string>();
  for (const name of ['Provider', 'ChargeType'])
    for (const value of registry.getEnum(`charge.v1.${name}`)?.values ?? [])
      known.set(`${name} ${value.number}`, String(getOption(value, label)));
  return (name, value) => known.get(`${name} ${value}`) ?? '';
}
