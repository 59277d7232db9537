/** The stream of an export goes on where it broke, and gives up where that is of no use. */

import { Server, ServerCredentials, type ServerWritableStream, status as codes } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Charge } from '../../../generated/charge/v1/charge.ts';
import {
  type ChargeServiceClient,
  ChargeServiceService,
  ExportChargesRequest,
  type ExportChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { ServiceUnavailable } from '../../../src/cli/client.ts';
import { exportedCharges } from '../../../src/cli/export/charge-source.ts';
import { Refused } from '../../../src/cli/session.ts';
import { openClient } from '../../support/server.ts';

type Call = ServerWritableStream<ExportChargesRequest, ExportChargesResponse>;

let server: Server;
let client: ChargeServiceClient;
let onCall: (call: Call) => void;
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  server = new Server();
  server.addService(
    { exportCharges: ChargeServiceService.exportCharges },
    {
      exportCharges: (call: Call) => {
        tokens.push(call.request.resumeToken);
        onCall(call);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  client = openClient(`127.0.0.1:${port}`);
});
afterEach(() => {
  client.close();
  server.forceShutdown();
});

const response = (requestId: string, resumeToken: string): ExportChargesResponse => ({
  charges: [{ requestId, charge: Charge.fromPartial({}) }],
  resumeToken,
});

const fail = (call: Call, code: number): boolean =>
  call.emit('error', Object.assign(new Error('told to fail'), { code, details: 'told to fail' }));

async function read(signal = new AbortController().signal, retryTimeoutMs = 10_000) {
  const ids: string[] = [];
  const troubles: string[] = [];
  const onTrouble = (text: string): number => troubles.push(text);
  const request = ExportChargesRequest.fromPartial({});
  for await (const { charges } of exportedCharges(client, request, { signal, retryTimeoutMs, onTrouble }))
    ids.push(...charges.map(({ requestId }) => requestId));
  return { ids, troubles };
}

test('a stream that breaks is opened again with the last token', async () => {
  const script = [
    (call: Call) => {
      call.write(response('a', '1'));
      call.write(response('b', '2'));
      fail(call, codes.UNAVAILABLE);
    },
    (call: Call) => fail(call, codes.UNAVAILABLE),
    // In order, but before the last response, as a proxy may end it.
    (call: Call) => {
      call.write(response('c', '3'));
      call.end();
    },
    (call: Call) => {
      call.write(response('d', ''));
      call.end();
    },
  ];
  onCall = (call) => script[tokens.length - 1]?.(call);
  const { ids, troubles } = await read();
  expect(ids).toEqual(['a', 'b', 'c', 'd']);
  expect(tokens).toEqual(['', '2', '2', '3']);
  expect(troubles).toHaveLength(3);
});

test('a refusal is final, and a service that stays away is given up', async () => {
  onCall = (call) => fail(call, codes.INVALID_ARGUMENT);
  await expect(read()).rejects.toThrow(Refused);
  expect(tokens).toHaveLength(1);
  onCall = (call) => fail(call, codes.UNAVAILABLE);
  await expect(read(undefined, 300)).rejects.toThrow(ServiceUnavailable);
  expect(tokens.length).toBeGreaterThan(1);
});

test('the signal ends a stream that says nothing', async () => {
  const stop = new AbortController();
  onCall = () => stop.abort();
  await expect(read(stop.signal)).rejects.toThrow(/abort/i);
});
