/** Case P09: every charge has the price version that precedes it in the journal, whichever process writes it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { Charge } from '../../generated/charge/v1/charge.ts';
import {
  type BatchCreateChargesResponse,
  Outcome,
  type RecordChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { call } from '../support/server.ts';
import { waitFor } from '../support/wait-for.ts';
import { chargeOfEvent, JournalConsumer, totalOf } from './support/journal-consumer.ts';
import { type CaseCharge, chargeOf, priceOf } from './support/money-cases.ts';
import { MoneyClient, sumOf } from './support/money-client.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const WRITERS = 12;
const CHARGES = 20_000;
const BATCH = 50;

const USAGE: CaseCharge = {
  provider: 'OPENAI',
  charge_type: 'COMPLETION',
  model: 'gpt-5.6-sol',
  prompt_tokens: 10_000n,
  completion_tokens: 1_000n,
  token_details: { cache_read_tokens: 6_000n },
};
/** Version n + 1 has the rates of item n, and makes the charge above cost this much. */
const PRICES = [
  [{ INPUT: 5_000_000_000n, CACHE_READ: 500_000_000n, OUTPUT: 30_000_000_000n }, 53_000_000n],
  [{ INPUT: 4_000_000_000n, CACHE_READ: 400_000_000n, OUTPUT: 20_000_000_000n }, 38_400_000n],
  [{ INPUT: 1_000_000_000n, CACHE_READ: 100_000_000n, OUTPUT: 2_000_000_000n }, 6_600_000n],
  [{ INPUT: 1n, CACHE_READ: 500_000n, OUTPUT: 1_000_000n }, 4_000n],
] as const;

let service: MoneyService;
const clients: MoneyClient[] = [];

beforeAll(async () => {
  service = await startMoneyService({ PROCESSES: '4', WRITERS: '3' });
  // A connection of its own for each writer, so that they reach all processes.
  for (let client = 0; client <= WRITERS; client++) clients.push(new MoneyClient(service.address));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await service.close();
});

/** What was answered, and the last version that was known to its caller when it sent the charge. */
interface Recorded {
  readonly charge: Charge;
  readonly versionBefore: bigint;
}

test('20,000 charges of 12 writers in 4 processes, while the price changes three times', async () => {
  const [admin, ...writers] = clients;
  if (!admin) throw new Error('no client');
  const recorded: Recorded[] = [];
  let version = 0n;
  const changePrice = async (): Promise<void> => {
    const [rates] = PRICES[Number(version)] ?? PRICES[0];
    const price = priceOf({ rates }, USAGE, '2026-01-01T00:00:00Z');
    const response = await admin.createPrice(`price-${version + 1n}`, price);
    expect(response.price?.version).toBe(version + 1n);
    version++;
  };
  await changePrice();

  const share = Math.ceil(CHARGES / WRITERS / BATCH) * BATCH;
  const work = writers.map((client, writer) => {
    const count = Math.min(share, CHARGES - writer * share);
    const record = writer % 2 === 0 ? recordInBatches : recordByStream;
    return record(client, `w${writer}`, count, () => version, recorded);
  });
  for (const part of [1, 2, 3]) {
    await waitFor('charges between two versions', () => recorded.length >= (part * CHARGES) / 4);
    await changePrice();
  }
  await Promise.all(work);

  expect(new Set(recorded.map(({ charge }) => charge.id)).size).toBe(CHARGES);
  // What was sent after the answer of CreatePrice has that version or a later one.
  const late = recorded.filter(({ charge, versionBefore }) => versionOf(charge) < versionBefore);
  expect(late.length).toBe(0);

  const consumer = new JournalConsumer(admin.charges);
  const events = await consumer.first(CHARGES);
  consumer.close();
  const counts = PRICES.map(() => 0n);
  let last = 1n;
  for (const event of events) {
    const charge = chargeOfEvent(event);
    const of = versionOf(charge);
    // Never back: the versions split the journal by its numbers.
    expect(of).toBeGreaterThanOrEqual(last);
    last = of;
    expect(charge?.cost?.amount?.nanos).toBe(PRICES[Number(of) - 1]?.[1]);
    counts[Number(of) - 1] = (counts[Number(of) - 1] ?? 0n) + 1n;
  }
  expect(counts.every((count) => count > 0n)).toBe(true);
  const nanos = PRICES.reduce((sum, [, each], index) => sum + each * (counts[index] ?? 0n), 0n);
  expect(totalOf(events)).toEqual({ nanos, charges: CHARGES, unpriced: 0 });
  expect(sumOf(await admin.list())).toEqual({ nanos, charges: CHARGES, unpriced: 0 });
});

const versionOf = (charge: Charge | undefined): bigint => charge?.cost?.priceVersion ?? 0n;

type Recorder = (
  client: MoneyClient,
  prefix: string,
  count: number,
  version: () => bigint,
  recorded: Recorded[],
) => Promise<void>;

const recordInBatches: Recorder = async (client, prefix, count, version, recorded) => {
  for (let start = 0; start < count; start += BATCH) {
    const versionBefore = version();
    const requests = Array.from({ length: Math.min(BATCH, count - start) }, (_, n) => ({
      requestId: `${prefix}-${start + n}`,
      importId: '',
      charge: chargeOf(USAGE),
    }));
    const { results } = await call<BatchCreateChargesResponse>((callback) =>
      client.charges.batchCreateCharges({ requests }, callback),
    );
    for (const { outcome, charge } of results) {
      if (outcome !== Outcome.OUTCOME_CREATED || !charge) throw new Error(`${prefix}: outcome ${outcome}`);
      recorded.push({ charge, versionBefore });
    }
  }
};

/** With at most BATCH items that are not answered yet. */
const recordByStream: Recorder = (client, prefix, count, version, recorded) =>
  new Promise((resolve, reject) => {
    const versions: bigint[] = [];
    const stream = client.charges.recordCharges();
    const send = (): void => {
      versions.push(version());
      const requestId = `${prefix}-${versions.length - 1}`;
      stream.write({ request: { requestId, importId: '', charge: chargeOf(USAGE) } });
    };
    let answered = 0;
    stream.on('data', ({ result }: RecordChargesResponse) => {
      if (result?.outcome !== Outcome.OUTCOME_CREATED || !result.charge)
        return void stream.destroy(new Error(`${prefix}: outcome ${result?.outcome}`));
      recorded.push({ charge: result.charge, versionBefore: versions[answered++] ?? 0n });
      if (versions.length < count) send();
      else if (answered === count) stream.end();
    });
    stream.on('error', reject);
    stream.on('end', resolve);
    for (let item = 0; item < Math.min(BATCH, count); item++) send();
  });
