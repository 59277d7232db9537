/** Encoded requests as fast as memory can be copied: templates in which only the request ids change. */

import {
  BatchCreateChargesRequest,
  CreateChargeRequest,
  RecordChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { REQUEST_ID_TEMPLATE, RequestIds } from '../request-ids.ts';
import { toCreateRequest, workloadRows, type WorkloadRow } from '../workload.ts';
import type { Body } from './jobs.ts';

const PREFIX_BYTES = 5;

/** A request ready to be sent, and the charges in it. The buffer changes at the next call. */
export interface NextBody {
  readonly rows: number;
  next(): Buffer;
}

interface Template {
  readonly framed: Buffer;
  readonly idPlaces: readonly number[];
}

/** Bodies of unary calls. */
export function unaryBodies(body: Body): NextBody {
  switch (body.kind) {
    case 'empty':
      return { rows: 0, next: () => EMPTY };
    case 'create':
      return { rows: 1, next: cycle(workloadRows().map((row) => template(encodeCreate([row]), 1))) };
    case 'batch':
      return { rows: body.size, next: cycle(batches(body.size)) };
  }
}

/** `count` framed messages of RecordCharges in one buffer of its own. */
export function recordBodies(): (count: number) => Buffer {
  const next = cycle(
    workloadRows().map((row) => {
      const request = toCreateRequest(row, REQUEST_ID_TEMPLATE);
      return template(RecordChargesRequest.encode({ request }).finish(), 1);
    }),
  );
  return (count) => Buffer.concat(Array.from({ length: count }, () => Buffer.from(next())));
}

const EMPTY = Buffer.alloc(PREFIX_BYTES);

function encodeCreate([row]: readonly WorkloadRow[]): Uint8Array {
  if (row === undefined) throw new RangeError('no row');
  return CreateChargeRequest.encode(toCreateRequest(row, REQUEST_ID_TEMPLATE)).finish();
}

/** Eight different batches are enough: the rows repeat after the list anyway. */
function batches(size: number): Template[] {
  const rows = workloadRows();
  return Array.from({ length: 8 }, (_, batch) => {
    const requests = Array.from({ length: size }, (_, index) => {
      const row = rows[(batch * size + index) % rows.length];
      if (row === undefined) throw new RangeError('no rows');
      return toCreateRequest(row, REQUEST_ID_TEMPLATE);
    });
    return template(BatchCreateChargesRequest.encode({ requests }).finish(), size);
  });
}

function template(message: Uint8Array, ids: number): Template {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  const idPlaces: number[] = [];
  for (
    let at = framed.indexOf(REQUEST_ID_TEMPLATE);
    at >= 0;
    at = framed.indexOf(REQUEST_ID_TEMPLATE, at + 1)
  ) {
    idPlaces.push(at);
  }
  if (idPlaces.length !== ids) throw new Error(`${idPlaces.length} request ids in a template of ${ids}`);
  return { framed, idPlaces };
}

function cycle(templates: readonly Template[]): () => Buffer {
  const ids = new RequestIds();
  let index = 0;
  return () => {
    const chosen = templates[index++ % templates.length];
    if (chosen === undefined) throw new RangeError('no templates');
    for (const place of chosen.idPlaces) ids.write(chosen.framed, place);
    return chosen.framed;
  };
}
