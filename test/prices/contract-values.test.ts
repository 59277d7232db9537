/** The numbers and codes of the domain are those of the contract. */

import { createFileRegistry, fromBinary, getExtension } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from '@jest/globals';

import {
  CURRENCY_CODES,
  ModelMatch,
  ServiceTier,
  UnpricedReason,
  UsageKind,
} from '../../src/prices/index.ts';
import { readContractImage } from '../../src/grpc/contract-image.ts';

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readContractImage()));

/** The `in` list of a text field, as the contract has it. */
function acceptedTexts(typeName: string, fieldName: string): unknown {
  const field = registry.getMessage(typeName)?.fields.find(({ name }) => name === fieldName);
  const rules = registry.getExtension('buf.validate.field');
  const options = field?.proto.options;
  if (options === undefined || rules === undefined) throw new Error(`${typeName}.${fieldName} has no rules`);
  const { type } = getExtension(options, rules) as { type: { case: string; value: { in: string[] } } };
  return type.value.in;
}

test.each(['charge.v1.Money', 'charge.v1.RateCard'])(
  '%s takes the known currencies and no other',
  (typeName) => {
    expect(acceptedTexts(typeName, 'currency_code')).toEqual([...CURRENCY_CODES].sort());
  },
);

test.each([
  ['UsageKind', UsageKind],
  ['ModelMatch', ModelMatch],
  ['ServiceTier', ServiceTier],
  ['UnpricedReason', UnpricedReason],
])('%s has the names and numbers of the contract', (name, numbers) => {
  const declared = registry.getEnum(`charge.v1.${name}`);
  const known = Object.entries(numbers).filter(([, number]) => number !== 0);

  expect(known).toEqual(
    declared?.values.filter(({ number }) => number !== 0).map(({ localName, number }) => [localName, number]),
  );
});
