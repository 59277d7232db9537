/** Requests of both kinds: those that the lane takes, and those that go on to grpc-js. */

import {
  BatchCreateChargesRequest,
  CreateChargeRequest,
  ListChargesRequest,
  RecordChargesRequest,
  WatchChargesRequest,
} from '../../../../generated/charge/v1/charge_service.ts';
import type { HeaderField } from '../../../../src/grpc/http2/hpack-tables.ts';
import { frame } from '../../support/raw.ts';
import { chargeRequest } from '../../support/server.ts';
import { SERVICE } from './frames-client.ts';

/** The lane leaves a request with this header alone; grpc-js answers it in the same way. */
export const PAST_THE_LANE: readonly HeaderField[] = [['content-type', 'application/grpc;x=y']];

export const CREATE = `${SERVICE}/CreateCharge`;
export const BATCH = `${SERVICE}/BatchCreateCharges`;
export const LIST = `${SERVICE}/ListCharges`;
export const RECORD = `${SERVICE}/RecordCharges`;
export const WATCH = `${SERVICE}/WatchCharges`;
export const HEALTH = '/grpc.health.v1.Health/Check';

type Charge = Parameters<typeof chargeRequest>[1];

export const createBody = (id: string, charge: Charge = {}): Buffer =>
  frame(CreateChargeRequest.encode(chargeRequest(id, charge)).finish());

export const batchBody = (ids: readonly string[], charge: Charge = {}): Buffer =>
  frame(BatchCreateChargesRequest.encode({ requests: ids.map((id) => chargeRequest(id, charge)) }).finish());

export const recordBody = (id: string, charge: Charge = {}): Buffer =>
  frame(RecordChargesRequest.encode({ request: chargeRequest(id, charge) }).finish());

export const listBody = (pageSize = 0): Buffer =>
  frame(ListChargesRequest.encode(ListChargesRequest.fromPartial({ pageSize })).finish());

export const watchBody = (startSequence = 1n): Buffer =>
  frame(WatchChargesRequest.encode(WatchChargesRequest.fromPartial({ startSequence })).finish());

export const healthBody = (): Buffer => frame(Buffer.alloc(0));
