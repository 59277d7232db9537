/**
 * The contract's own rules, run by protovalidate from the descriptors: every violation of a message,
 * with its field, its text and its rule.
 */

import { createFileRegistry, type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import { pathToString, reflect } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema, TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import { createValidator, type Validator, type Violation } from '@bufbuild/protovalidate';

import { type Codec, encodeTransient } from './codec.ts';
import { isWellFormedTimestamp, TIMESTAMP_SECONDS_MAX } from './timestamp.ts';
import type { FieldViolation } from '../errors/failure.ts';

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
    // protovalidate takes only messages of another library: it gets what ts-proto decoded, encoded again.
    return (message) => this.#violationsOf(schema, encodeTransient(codec, message));
  }

  #violationsOf(schema: DescMessage, bytes: Uint8Array): readonly FieldViolation[] {
    const message = fromBinary(schema, bytes);
    const malformed: string[] = [];
    clearMalformedTimestamps(schema, message, '', malformed);
    const result = this.#validator.validate(schema, message);
    const found = result.kind === 'invalid' ? result.violations.map(toFieldViolation) : [];
    // A field that was cleared is not missing.
    const violations = found.filter(({ field, rule }) => rule !== 'required' || !malformed.includes(field));
    if (result.kind === 'error') violations.push(NOT_CHECKABLE);
    for (const field of malformed) {
      if (!violations.some((violation) => violation.field === field)) {
        violations.push({ ...MALFORMED_TIMESTAMP, field });
      }
    }
    return violations;
  }
}

/** Four times what any text may have. */
const TEXT_UNITS_MAX = 1024;

/** A text that is short enough to be checked: what is cut off breaks a rule either way. 1 MiB takes the rules 260 ms. */
export function cut(text: string): string {
  return text.length > TEXT_UNITS_MAX ? text.slice(0, TEXT_UNITS_MAX) : text;
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
  const text =
    PLAIN_TEXTS[message] ?? PLAIN_RULES[ruleId] ?? message.replace('greater than or equal to', 'at least');
  return { field: pathToString(field), description: forKey ? `the key ${text}` : text, rule: ruleId };
}

/** What a rule means to a caller, if protovalidate would repeat its whole list of values. */
const PLAIN_RULES: Readonly<Record<string, string>> = {
  'string.in': 'must be one of the values that the contract lists, such as USD for a currency',
};

/** What protovalidate says of the contract's standard rules, and what that means to a caller. */
const PLAIN_TEXTS: Readonly<Record<string, string>> = {
  'value is required': 'is required',
  'exactly one field is required in oneof': 'is required: set one of its fields',
  'must not be in list [0]': 'is required',
  'must be at least 1 characters': 'must not be empty',
  'must contain at least 1 item(s)': 'must not be empty',
  'must contain no more than 1000 item(s)': 'must have at most 1000 items',
  'repeated value must contain unique items': 'must not name the same value twice',
  'map must be at most 16 entries': 'must have at most 16 entries',
  'value must be one of the defined enum values': 'must be one of the values that the contract defines',
  'does not match regex pattern `^[^\\x00]*$`': 'must not contain the character U+0000',
  'does not match regex pattern `^([A-Z]{3})?$`': 'must be an ISO 4217 code, such as USD',
  'does not match regex pattern `^[ -~]*$`': 'must be printable ASCII characters (U+0020 to U+007E)',
};

/**
 * Rules cannot tell whether a Timestamp is well-formed: CEL fails on seconds out of range, and accepts
 * nanos out of range. So such fields are named here and cleared. `usage_time` is set to the end of time
 * instead, where its own rule names it.
 */
function clearMalformedTimestamps(
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
      clearMalformedTimestamps(field.message, value, `${fieldPath}.`, malformed);
    } else if (!isWellFormedTimestamp(value as Timestamp)) {
      malformed.push(fieldPath);
      if (field.name !== 'usage_time') reflected.clear(field);
      else Object.assign(value, { seconds: TIMESTAMP_SECONDS_MAX, nanos: 0 });
    }
  }
}
