/** An array of `charge.v1.Price` in proto3 JSON, as `charge prices list --json` prints it. */

import { createHash } from 'node:crypto';
import { UsageError } from '../../command.ts';
import { readJsonValues } from '../../import/json-values.ts';
import type { Contract } from '../../contract.ts';
import { parseJsonText } from '../json-text.ts';
import { NO_NOTES, type FilePrice, type PriceFile } from '../price-file.ts';
import { keyText } from '../price-text.ts';
import { timeText } from '../../time.ts';

/** Reads a JSON file. Rejects with a {@link UsageError} that names every fault with its line. */
export async function convertJson(bytes: Buffer, name: string, contract: Contract): Promise<PriceFile> {
  const faults: string[] = [];
  const prices: FilePrice[] = [];
  const lines = new Map<string, number>();
  const sourcePrefix = `json:${name}#`;
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  for await (const { number: line, text, fault } of readJsonValues(inOnePart(bytes))) {
    try {
      if (fault !== undefined) throw new Error(fault);
      // A number of an enum has to stay one. Larger ones are exact only as texts.
      const read = contract.priceFromJson(parseJsonText(text, Number.isSafeInteger));
      const source = read.source || `${sourcePrefix}${hash} line ${line}`;
      const price = { ...read, version: 0n, createTime: undefined, source };
      const place = `${keyText(price.key)} ${timeText(price.effectiveTime)}`;
      const other = lines.get(place);
      if (other !== undefined) throw new Error(`repeats the key and the effective time of line ${other}`);
      lines.set(place, line);
      prices.push({ price, origin: `line ${line}` });
    } catch (error) {
      faults.push(`line ${line}: ${(error as Error).message}`);
    }
  }
  if (faults.length > 0) throw new UsageError([...new Set(faults)]);
  return { format: 'json', sourcePrefix, entries: prices.length, prices, notes: NO_NOTES };
}

async function* inOnePart(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}
