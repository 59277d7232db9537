/**
 * Peer: a unary call on grpc-js with ts-proto's codecs that answers with the charge it was sent. An empty
 * request gets an empty response: the most that the transport can do. With a charge it is what a service
 * costs that does nothing but decode and encode. The argument says how many milliseconds later it answers, so that
 * calls are as long in progress as those of a service that waits for its database.
 */

import { randomUUID } from 'node:crypto';

import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';

import {
  ChargeServiceService,
  type CreateChargeRequest,
  type CreateChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { ready } from '../lib/child-main.ts';

const TIME = { seconds: 1_790_000_000n, nanos: 123_456_000 };
/** What the service adds to a charge. */
const STORED = { id: randomUUID(), createTime: TIME, updateTime: TIME, usageTime: TIME };

const delayMs = Number(process.argv[2] ?? 0);

const implementation: UntypedServiceImplementation = {
  createCharge: (
    { request }: { readonly request: CreateChargeRequest },
    callback: (error: null, response: CreateChargeResponse) => void,
  ) => {
    const { charge } = request;
    const answer = (): void =>
      callback(null, { charge: charge && { ...charge, ...STORED }, replayed: false });
    if (delayMs === 0) answer();
    else setTimeout(answer, delayMs);
  },
};

// Without channelz, like the service: it costs several per cent.
const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService({ createCharge: ChargeServiceService.createCharge }, implementation);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  ready({ address: `127.0.0.1:${port}` });
});
