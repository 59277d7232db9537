/** The contract's own rules and its JSON for prices, read from the descriptors. */

import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
} from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createValidator } from '@bufbuild/protovalidate';
import { CreatePriceRequest, Price } from '../../../generated/charge/v1/price_service.ts';

const IMAGE = new URL('../../../generated/charge.binpb', import.meta.url);

/** What the descriptors know about prices. */
export interface PriceContract {
  /** Every rule that a request breaks, each as one line. */
  check(request: CreatePriceRequest): string[];
  /** Reads proto3 JSON. Throws an Error that says what is wrong. */
  fromJson(value: unknown): Price;
  /** Proto3 JSON with all digits of the times, which the generated code cuts to milliseconds. */
  toJson(price: Price): JsonValue;
}

/** Reads the descriptors, which takes about 0.2 s. */
export function openPriceContract(): PriceContract {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(IMAGE)));
  const validator = createValidator({ registry });
  const messageOf = (name: string): DescMessage => {
    const message = registry.getMessage(`charge.v1.${name}`);
    if (!message) throw new Error(`the contract has no ${name}`);
    return message;
  };
  const [request, price] = [messageOf('CreatePriceRequest'), messageOf('Price')];
  return {
    check: (value) => {
      const result = validator.validate(
        request,
        fromBinary(request, CreatePriceRequest.encode(value).finish()),
      );
      if (result.kind !== 'invalid') return [];
      return result.violations.map(({ field, message }) => `${pathToString(field)}: ${message}`);
    },
    fromJson: (value) => Price.decode(toBinary(price, fromJson(price, value as JsonValue))),
    toJson: (value) => toJson(price, fromBinary(price, Price.encode(value).finish())),
  };
}
