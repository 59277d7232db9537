/**
 * Peer: an empty unary call on grpc-js with ts-proto's codecs, the most that the transport can do.
 * The request decodes to a message without fields, the response encodes to no bytes.
 */

import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';

import { ChargeServiceService, type CreateChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { ready } from '../lib/child-main.ts';

const EMPTY: CreateChargeResponse = { charge: undefined, replayed: false };

const implementation: UntypedServiceImplementation = {
  createCharge: (_call: unknown, callback: (error: null, response: CreateChargeResponse) => void) =>
    callback(null, EMPTY),
};

// Without channelz, like the service: it costs several per cent.
const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService({ createCharge: ChargeServiceService.createCharge }, implementation);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  ready({ address: `127.0.0.1:${port}` });
});
