/**
 * Peer: the naive service, as one would write it first. Each call is a unit of work of MikroORM on the
 * same table and indexes, and one JetStream publish with its acknowledgement. If a request id repeats,
 * the unique index refuses it and the earlier charge is read. Its callers use UUIDs as request ids.
 */

import { Server, ServerCredentials, status, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { defineEntity, MikroORM, p, UniqueConstraintViolationException } from '@mikro-orm/postgresql';
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
import { ready } from '../lib/child-main.ts';

const [databaseUrl = '', natsUrl = ''] = process.argv.slice(2);
const STREAM = 'NAIVE';
const SUBJECT = 'naive.created';
const TENANT = 'default';
const NO_HASH = '00000000-0000-0000-0000-000000000000';

/** As one would write it first. Not the service's own entity: the peer must not change with the service. */
const ChargeEntity = defineEntity({
  name: 'Charge',
  tableName: 'charge',
  properties: {
    tenant: p.text().primary(),
    id: p.uuid().primary(),
    requestKey: p.uuid(),
    requestId: p.text().nullable(),
    contentHash: p.uuid(),
    userProfile: p.text(),
    sessionKey: p.text().nullable(),
    provider: p.smallint(),
    otherProvider: p.text().nullable(),
    chargeType: p.smallint(),
    promptTokens: p.bigint(),
    completionTokens: p.bigint(),
    totalTokens: p.bigint(),
    cacheReadTokens: p.bigint().nullable(),
    cacheWrite5mTokens: p.bigint().nullable().fieldName('cache_write_5m_tokens'),
    cacheWrite1hTokens: p.bigint().nullable().fieldName('cache_write_1h_tokens'),
    reasoningTokens: p.bigint().nullable(),
    audioInputTokens: p.bigint().nullable(),
    audioOutputTokens: p.bigint().nullable(),
    model: p.text().nullable(),
    reference: p.text().nullable(),
    labels: p.json<Record<string, string>>().nullable(),
    usageTime: p.datetime(),
    createTime: p.datetime(),
    traceparent: p.text().nullable(),
  },
});

const orm = await MikroORM.init({
  clientUrl: databaseUrl,
  entities: [ChargeEntity],
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
  const now = new Date();
  const em = orm.em.fork();
  const row = em.create(ChargeEntity, {
    tenant: TENANT,
    id: uuidv7(),
    requestKey: requestId,
    contentHash: NO_HASH,
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey || null,
    provider: charge.provider,
    otherProvider: charge.otherProvider || null,
    chargeType: charge.chargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens: charge.promptTokens + charge.completionTokens,
    model: charge.model || null,
    reference: charge.reference || null,
    labels: charge.labels.size > 0 ? Object.fromEntries(charge.labels) : null,
    usageTime: now,
    createTime: now,
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
  const ms = now.getTime();
  const time = { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
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
  ready({ address: `127.0.0.1:${port}`, stream: STREAM });
});
