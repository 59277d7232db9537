/** Encoded requests, made from templates in which only the request ids change: the client must cost little. */

import {
  BatchCreateChargesRequest,
  CreateChargeRequest,
  RecordChargesRequest,
  VoidChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { REQUEST_ID_TEMPLATE, RequestIds } from '../request-ids.ts';
import { toCreateRequest, workloadRows } from '../workload.ts';
import type { Body } from './jobs.ts';
import { GRPC_PREFIX_BYTES } from './message-counter.ts';

const EMPTY = Buffer.alloc(GRPC_PREFIX_BYTES);
/** Enough different ones: the rows repeat after the list anyway. */
const BATCHES = 8;

/** Requests ready to be sent. */
export interface Bodies {
  /** Charges in each request. */
  readonly rows: number;
  /** The next request; its buffer changes at the next call. */
  next(): Buffer;
}

interface Template {
  readonly framed: Buffer;
  readonly idPlaces: readonly number[];
}

/** Bodies of unary calls. */
export function unaryBodies(body: Body): Bodies {
  switch (body.kind) {
    case 'empty':
      return { rows: 0, next: () => EMPTY };
    case 'create':
      return {
        rows: 1,
        next: cycle('create', () =>
          requests().map((request) => CreateChargeRequest.encode(request).finish()),
        ),
      };
    case 'batch':
      return { rows: body.size, next: cycle(`batch of ${body.size}`, () => batches(body.size)) };
    case 'void':
      return { rows: 1, next: voids(body.ids) };
  }
}

/** Voids these charges, one after the other. Throws if there are no more. */
function voids(ids: readonly string[]): () => Buffer {
  const request = {
    key: { $case: 'id', value: CHARGE_ID_TEMPLATE },
    requestId: REQUEST_ID_TEMPLATE,
    reason: 'bench',
    allowClosedPeriod: false,
  } as const;
  const { framed, idPlaces } = toTemplate(VoidChargeRequest.encode(request).finish());
  const chargeIdPlace = framed.indexOf(CHARGE_ID_TEMPLATE);
  const requestIds = new RequestIds();
  let index = 0;
  return () => {
    const id = ids[index++];
    if (id === undefined) throw new RangeError('all charges are voided; a faster service needs more of them');
    framed.write(id, chargeIdPlace, 'latin1');
    for (const place of idPlaces) requestIds.write(framed, place);
    return framed;
  };
}

/** As long as every id, and found in no other place. */
const CHARGE_ID_TEMPLATE = 'ffffffff-ffff-7fff-bfff-ffffffffffff';

/** `count` framed messages of RecordCharges in one buffer of its own. */
export function recordBodies(): (count: number) => Buffer {
  const next = cycle('record', () =>
    requests().map((request) => RecordChargesRequest.encode({ request }).finish()),
  );
  return (count) => Buffer.concat(Array.from({ length: count }, () => Buffer.from(next())));
}

function requests(): CreateChargeRequest[] {
  return workloadRows().map((row) => toCreateRequest(row, REQUEST_ID_TEMPLATE));
}

function batches(size: number): Uint8Array[] {
  const all = requests();
  return Array.from({ length: BATCHES }, (_, batch) => {
    const first = (batch * size) % all.length;
    const chosen = [...all, ...all].slice(first, first + size);
    return BatchCreateChargesRequest.encode({ requests: chosen }).finish();
  });
}

/** Kept from round to round: encoding them again would count as CPU time of the client. */
const templates = new Map<string, readonly Template[]>();

function cycle(name: string, encode: () => readonly Uint8Array[]): () => Buffer {
  const known = templates.get(name) ?? encode().map(toTemplate);
  templates.set(name, known);
  const ids = new RequestIds();
  let index = 0;
  return () => {
    const chosen = known[index++ % known.length];
    if (chosen === undefined) throw new RangeError('no templates');
    for (const place of chosen.idPlaces) ids.write(chosen.framed, place);
    return chosen.framed;
  };
}

function toTemplate(message: Uint8Array): Template {
  const framed = Buffer.alloc(GRPC_PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, GRPC_PREFIX_BYTES);
  const idPlaces: number[] = [];
  let at = framed.indexOf(REQUEST_ID_TEMPLATE);
  for (; at >= 0; at = framed.indexOf(REQUEST_ID_TEMPLATE, at + 1)) idPlaces.push(at);
  return { framed, idPlaces };
}
