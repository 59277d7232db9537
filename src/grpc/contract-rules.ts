/**
 * The contract's own rules, run by protovalidate from the descriptors: every violation of a
 * message, with its field, its text and its rule. RE2 keeps the patterns linear.
 */

import { createFileRegistry, type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import { pathToString, reflect } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema, TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import { createValidator, type Validator, type Violation } from '@bufbuild/protovalidate';

import { type Codec, encodeTransient } from './codec.ts';
import { isWellFormedTimestamp, TIMESTAMP_SECONDS_MAX } from './timestamp.ts';
import type { FieldViolation } from '../errors/service-error.ts';

/** Names every violation of a message; an empty list: it is valid. Never throws. */
export type Check<T> = (message: T) => readonly FieldViolation[];

/** The rules of every message of the contract. */
export class ContractRules {
  readonly #registry: ReturnType<typeof createFileRegistry>;
  readonly #validator: Validator;

  /** Reads the descriptors (a `FileDescriptorSet`): tens of milliseconds, so once per process. */
  constructor(image: Uint8Array) {
    this.#registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
    this.#validator = createValidator({ registry: this.#registry });
  }

  /** The check of one message type; `typeName` as in `charge.v1.GetChargeRequest`. */
  checkOf<T>(typeName: string, codec: Codec<T>): Check<T> {
    const schema = this.#registry.getMessage(typeName);
    if (schema === undefined) throw new TypeError(`the contract has no message ${typeName}`);
    // The first run compiles the rules (140 ms for a charge): at start-up, not in a call.
    this.#violationsOf(schema, new Uint8Array());
    // Both decoders see the same bytes: what ts-proto made of the request, not what was sent.
    return (message) => this.#violationsOf(schema, encodeTransient(codec, message));
  }

  #violationsOf(schema: DescMessage, bytes: Uint8Array): readonly FieldViolation[] {
    const message = fromBinary(schema, bytes);
    const malformed: string[] = [];
    takeMalformedTimestamps(schema, message, '', malformed);
    const result = this.#validator.validate(schema, message);
    const violations = result.kind === 'invalid' ? result.violations.map(toFieldViolation) : [];
    if (result.kind === 'error') violations.push(NOT_CHECKABLE);
    for (const field of malformed) {
      if (!violations.some((violation) => violation.field === field)) {
        violations.push({ ...MALFORMED_TIMESTAMP, field });
      }
    }
    return violations;
  }
}

const NOT_CHECKABLE: FieldViolation = {
  field: '',
  description: 'a value is outside the range that the rules of the contract can be checked for',
  rule: 'not_checkable',
};

const MALFORMED_TIMESTAMP = {
  description: 'must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, with nanos from 0 to 999,999,999',
  rule: 'timestamp.well_formed',
};

function toFieldViolation({ field, message, ruleId, forKey }: Violation): FieldViolation {
  return {
    field: pathToString(field),
    description: forKey ? `the key ${message}` : message,
    rule: ruleId,
  };
}

/**
 * Rules cannot see whether a Timestamp is well-formed: CEL fails on seconds out of range, and
 * nanos out of range pass. So such fields are named here and taken out, except that usage_time's
 * own rule speaks for it once it stands at the end of time.
 */
function takeMalformedTimestamps(
  schema: DescMessage,
  message: Message,
  path: string,
  malformed: string[],
): void {
  const reflected = reflect(schema, message);
  for (const field of schema.fields) {
    if (field.fieldKind !== 'message' || !reflected.isSet(field)) continue;
    const { message: value } = reflected.get(field);
    const fieldPath = `${path}${field.name}`;
    if (field.message.typeName !== TimestampSchema.typeName) {
      takeMalformedTimestamps(field.message, value, `${fieldPath}.`, malformed);
    } else if (!isWellFormedTimestamp(value as Timestamp)) {
      malformed.push(fieldPath);
      if (field.name !== 'usage_time') reflected.clear(field);
      else Object.assign(value, { seconds: TIMESTAMP_SECONDS_MAX, nanos: 0 });
    }
  }
}
