/** What an export has written, an import reads as the same requests, whatever the texts are. */

import { Readable } from 'node:stream';

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import type { Item } from '../../../src/cli/export/item.ts';
import { lineFormat } from '../../../src/cli/export/format.ts';
import { layoutOf } from '../../../src/cli/import/columns.ts';
import { RowConverter } from '../../../src/cli/import/convert-rows.ts';
import { LAYOUTS } from '../../../src/cli/import/layouts.ts';
import { openRows } from '../../../src/cli/import/open-rows.ts';
import type { Row } from '../../../src/cli/import/row.ts';
import { exported, requests } from './support.ts';

const FORMATS = ['csv', 'ndjson'] as const;
const template = { constants: [], otherProviders: undefined, takesImportTime: false, takesInside: false };

/** The bytes of a file, in pieces that are cut anywhere. */
function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** What an import makes of a file. */
async function readBack(name: (typeof FORMATS)[number], items: readonly Item[], pieceSize = 1000) {
  const format = lineFormat(name);
  const bytes = Buffer.from(format.head + format.lines(items));
  const source = await openRows(Readable.from(pieces(bytes, pieceSize)), {});
  const rows: Row[] = [];
  for await (const row of source.rows) rows.push(row);
  const layout = layoutOf([...new Set(rows.flatMap(({ columns }) => columns))], LAYOUTS);
  const converter = new RowConverter({
    rules: { map: [], labels: undefined, layout, idColumns: [] },
    template,
    importId: '',
  });
  return rows.map((row) => converter.convert(row));
}

/** The content of a request in an order of its own. */
function plain({ requestId, charge }: CreateChargeRequest) {
  const { labels, ...rest } = charge as Charge;
  return { requestId, ...rest, labels: [...labels].sort() };
}

test.each(FORMATS)(
  '%s: an import reads the requests that an export was made of',
  async (name) => {
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 5000 }), async (sent, pieceSize) => {
        const items = sent.map((request) => exported(request));
        const read = await readBack(name, items, pieceSize);
        expect(read.map((row) => ('request' in row ? plain(row.request) : row))).toEqual(sent.map(plain));
      }),
      { numRuns: 150 },
    );
  },
  120_000,
);

test.each(FORMATS)('%s: charges that do not count are left out', async (name) => {
  const [request] = fc.sample(requests, { numRuns: 1, seed: 1 }).flat();
  if (!request) throw new Error('no request');
  const states = [
    ChargeState.CHARGE_STATE_VOIDED,
    ChargeState.CHARGE_STATE_ACTIVE,
    ChargeState.CHARGE_STATE_AMENDED,
  ];
  const read = await readBack(
    name,
    states.map((state) => exported(request, { state })),
  );
  expect(read.map((row) => Object.keys(row)[0])).toEqual(['leftOut', 'request', 'leftOut']);
});

test.each(FORMATS)(
  '%s: label keys that differ only when they are escaped stay what they are',
  async (name) => {
    const [request] = fc.sample(requests, { numRuns: 1, seed: 1 }).flat();
    const keysOf = async (key: string): Promise<string[]> => {
      const labels = new Map([
        ['a', ''],
        [key, ''],
      ]);
      const [read] = await readBack(name, [exported(request!, { labels })]);
      return read && 'request' in read ? [...(read.request.charge?.labels.keys() ?? [])] : [];
    };
    for (const key of ['\\', '"', '\\', '\n']) expect(await keysOf(key)).toEqual(['a', key]);
  },
);
