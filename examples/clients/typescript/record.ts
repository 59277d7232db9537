/** Records one charge. Arguments: the address of the service, and a request id. */

import { credentials, Metadata } from '@grpc/grpc-js';

import { Charge, ChargeType, Provider } from './gen/charge/v1/charge.ts';
import { ChargeServiceClient, CreateChargeRequest } from './gen/charge/v1/charge_service.ts';

// gRPC itself repeats a call that failed in one of these ways, with the same request id. So it never makes a second
// charge, even if the first attempt was recorded and only its answer was lost.
const serviceConfig = {
  loadBalancingConfig: [],
  methodConfig: [
    {
      name: [{ service: 'charge.v1.ChargeService' }],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.2s',
        maxBackoff: '5s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'INTERNAL'],
      },
    },
  ],
};

const [address = '', requestId = ''] = process.argv.slice(2);
const client = new ChargeServiceClient(address, credentials.createInsecure(), {
  'grpc.service_config': JSON.stringify(serviceConfig),
});
const request = CreateChargeRequest.fromPartial({
  requestId,
  charge: Charge.fromPartial({
    userProfile: 'alice',
    provider: Provider.PROVIDER_OPENAI,
    chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
    model: 'gpt-4o',
    promptTokens: 374n,
    completionTokens: 44n,
  }),
});
client.createCharge(request, new Metadata(), { deadline: Date.now() + 20_000 }, (error, response) => {
  // Keep the request, and send it again later with the same request id.
  if (error !== null) throw error;
  console.log(`charge ${response.charge?.id}, replayed: ${response.replayed}`);
  client.close();
});
