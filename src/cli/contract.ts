/** The rules of the contract, checked before anything is sent, and its JSON, both read from the descriptors. */

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
import { Charge } from '../../generated/charge/v1/charge.ts';
import { CreateChargeRequest, GetChargeHistoryResponse } from '../../generated/charge/v1/charge_service.ts';
import { CreatePriceRequest, Price } from '../../generated/charge/v1/price_service.ts';
import { ApiKey, AuditEntry, Tenant } from '../../generated/charge/v1/tenant_service.ts';
import { ReconcileResponse } from '../../generated/charge/v1/usage_service.ts';
import { UserProfile } from '../../generated/charge/v1/user_profile_service.ts';
import type { FieldViolation } from '../errors/failure.ts';

const IMAGE = new URL('../../generated/charge.binpb', import.meta.url);

/** What the descriptors know. A check takes less than 0.1 ms and names every violation. */
export interface Contract {
  checkCharge(request: CreateChargeRequest): FieldViolation[];
  checkPrice(request: CreatePriceRequest): FieldViolation[];
  /** Reads proto3 JSON. Throws an Error that says what is wrong. */
  chargeFromJson(value: unknown): Charge;
  /** Like {@link Contract.chargeFromJson}. */
  priceFromJson(value: unknown): Price;
  /** Proto3 JSON with all digits of the times, which the generated code cuts to milliseconds. */
  priceToJson(price: Price): JsonValue;
  /** The findings and the summary of a run, with the contract's names of the fields, and all of them. */
  reconcileToJson(response: ReconcileResponse): JsonValue;
  /** Like {@link Contract.priceToJson}. */
  historyToJson(history: GetChargeHistoryResponse): JsonValue;
  /** Like {@link Contract.priceToJson}. */
  userProfileToJson(userProfile: UserProfile): JsonValue;
  /** Like {@link Contract.priceToJson}. */
  tenantToJson(tenant: Tenant): JsonValue;
  /** Like {@link Contract.priceToJson}. */
  apiKeyToJson(apiKey: ApiKey): JsonValue;
  /** Like {@link Contract.priceToJson}. */
  auditEntryToJson(auditEntry: AuditEntry): JsonValue;
}

/** Reads the descriptors, which takes about 0.2 s. */
export function openContract(): Contract {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(IMAGE)));
  const validator = createValidator({ registry });
  const schemaOf = (name: string): DescMessage => {
    const schema = registry.getMessage(`charge.v1.${name}`);
    if (!schema) throw new Error(`the contract has no ${name}`);
    return schema;
  };
  const check = (name: string, bytes: Uint8Array): FieldViolation[] => {
    const schema = schemaOf(name);
    const result = validator.validate(schema, fromBinary(schema, bytes));
    if (result.kind !== 'invalid') return [];
    return result.violations.map(({ field, message, ruleId }) => ({
      field: pathToString(field),
      description: message,
      rule: ruleId,
    }));
  };
  const charge = schemaOf('Charge');
  const price = schemaOf('Price');
  const history = schemaOf('GetChargeHistoryResponse');
  const reconcile = schemaOf('ReconcileResponse');
  const userProfile = schemaOf('UserProfile');
  const tenant = schemaOf('Tenant');
  const apiKey = schemaOf('ApiKey');
  const auditEntry = schemaOf('AuditEntry');
  return {
    checkCharge: (request) => check('CreateChargeRequest', CreateChargeRequest.encode(request).finish()),
    checkPrice: (request) => check('CreatePriceRequest', CreatePriceRequest.encode(request).finish()),
    chargeFromJson: (value) => Charge.decode(toBinary(charge, fromJson(charge, value as JsonValue))),
    priceFromJson: (value) => Price.decode(toBinary(price, fromJson(price, value as JsonValue))),
    priceToJson: (value) => toJson(price, fromBinary(price, Price.encode(value).finish())),
    reconcileToJson: (value) =>
      toJson(reconcile, fromBinary(reconcile, ReconcileResponse.encode(value).finish()), {
        useProtoFieldName: true,
        alwaysEmitImplicit: true,
      }),
    historyToJson: (value) =>
      toJson(history, fromBinary(history, GetChargeHistoryResponse.encode(value).finish())),
    userProfileToJson: (value) =>
      toJson(userProfile, fromBinary(userProfile, UserProfile.encode(value).finish())),
    tenantToJson: (value) => toJson(tenant, fromBinary(tenant, Tenant.encode(value).finish())),
    apiKeyToJson: (value) => toJson(apiKey, fromBinary(apiKey, ApiKey.encode(value).finish())),
    auditEntryToJson: (value) =>
      toJson(auditEntry, fromBinary(auditEntry, AuditEntry.encode(value).finish())),
  };
}
