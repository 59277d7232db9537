/**
 * Peer: the naive service, as one would write it first. Each call is a unit of work of MikroORM on
 * the same table and indexes, and one JetStream publish with its acknowledgement. A repeated
 * request id meets the unique index and reads the earlier charge. Its callers send UUIDs only.
 */

import { Server, ServerCredentials, status, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { MikroORM, UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { v7 as uuidv7 } from 'uuid';

import { Charge } from '../../generated/charge/v1/charge.ts';
import {
  ChargeServiceService,
  type CreateChargeRequest,
  type CreateChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import { toProtoTimestamp } from '../../src/grpc/timestamp.ts';
import { chargeEntities, ChargeEntity } from '../../src/charges/entity.ts';

const [databaseUrl = '', natsUrl = ''] = process.argv.slice(2);
const STREAM = 'NAIVE';
const SUBJECT = 'naive.created';
const TENANT = 'default';
const NO_HASH = '00000000000000000000000000000000';

const orm = await MikroORM.init({
  clientUrl: databaseUrl,
  entities: chargeEntities,
  debug: false,
  // More connections made it slower on two cores.
  pool: { min: 0, max: 10 },
});
const connection = await connect({ servers: new URL(natsUrl).host });
const manager = await jetstreamManager(connection);
await manager.streams.add({ name: STREAM, subjects: ['naive.>'] });
const client = jetstream(connection);

async function createCharge({ charge, requestId }: CreateChargeRequest): Promise<CreateChargeResponse> {
  if (charge === undefined || charge.userProfile === '' || requestId === '')
    throw new RangeError('invalid charge');
  const nowMicros = BigInt(Date.now()) * 1000n;
  const em = orm.em.fork();
  const row = em.create(ChargeEntity, {
    tenant: TENANT,
    id: uuidv7(),
    requestKey: requestId,
    contentHash: NO_HASH,
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey,
    provider: charge.provider,
    otherProvider: charge.otherProvider,
    chargeType: charge.chargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens: charge.promptTokens + charge.completionTokens,
    model: charge.model,
    reference: charge.reference,
    labels: charge.labels,
    usageTimeMicros: nowMicros,
    createTimeMicros: nowMicros,
    hashedRequestId: '',
    traceparent: '',
    tokenDetails: undefined,
  });
  try {
    await em.flush();
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error;
    const earlier = await orm.em
      .fork()
      .findOneOrFail(ChargeEntity, { tenant: TENANT, requestKey: requestId });
    return { charge: Charge.fromPartial({ ...charge, id: earlier.id }), replayed: true };
  }
  const time = toProtoTimestamp(nowMicros);
  const stored = Charge.fromPartial({
    ...charge,
    id: row.id,
    totalTokens: charge.promptTokens + charge.completionTokens,
    usageTime: time,
    createTime: time,
    updateTime: time,
  });
  const event = ChargeCreated.fromPartial({ eventId: stored.id, charge: stored, tenant: TENANT });
  await client.publish(SUBJECT, ChargeCreated.encode(event).finish(), { msgID: stored.id });
  return { charge: stored, replayed: false };
}

const server = new Server();
server.addService(
  { createCharge: ChargeServiceService.createCharge },
  {
    createCharge: (
      call: ServerUnaryCall<CreateChargeRequest, CreateChargeResponse>,
      callback: sendUnaryData<CreateChargeResponse>,
    ) => {
      createCharge(call.request).then(
        (response) => callback(null, response),
        (error: unknown) => callback({ code: status.INTERNAL, details: String(error) }),
      );
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.({ address: `127.0.0.1:${port}`, stream: STREAM });
});
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
