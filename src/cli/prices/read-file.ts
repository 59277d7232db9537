/** Opens a file of prices, whatever its format. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { UsageError } from '../command.ts';
import type { Contract } from '../contract.ts';
import { convertCatalogue, type CatalogueOptions } from './litellm/catalogue.ts';
import { parseJsonText } from './json-text.ts';
import { convertCsv } from './own/csv.ts';
import { convertJson } from './own/json.ts';
import { addName, type FilePrice, type PriceFile } from './price-file.ts';

/**
 * Reads FILE (`-`: standard input). A JSON object is LiteLLM's catalogue, a JSON array is our own format, anything
 * else is CSV. Rejects with a {@link UsageError} if the file cannot be read, or if a price of our own formats is wrong.
 */
export async function readPriceFile(
  file: string,
  options: CatalogueOptions,
  contract: Contract,
): Promise<PriceFile> {
  const bytes = await (file === '-' ? buffer(process.stdin) : readFile(file)).catch((error: Error) => {
    throw new UsageError([error.message]);
  });
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  const name = file === '-' ? 'stdin' : basename(file).slice(0, 100);
  const [first] = text.trimStart();
  if (first === undefined) throw new UsageError([`${file} is empty`]);
  if (first === '{')
    return checkCatalogue(convertCatalogue(parseCatalogue(file, text), bytes, options), contract);
  const read = first === '[' ? await convertJson(bytes, name, contract) : convertCsv(text, name);
  const wanted = read.prices.filter(
    ({ price: { key } }) => key && options.isWanted(key.provider, key.otherProvider),
  );
  const faults = wanted.flatMap(({ price, origin }) =>
    check(contract, price).map((fault) => `${origin}: ${fault}`),
  );
  if (faults.length > 0) throw new UsageError(faults);
  return { ...read, prices: wanted };
}

function parseCatalogue(file: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parseJsonText(text) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError([`${file} is not JSON: ${(error as Error).message}`]);
  }
}

/** An entry that breaks a rule of the contract is left out: others wrote the catalogue, and the rest is good. */
function checkCatalogue(read: PriceFile, contract: Contract): PriceFile {
  const leftOut = new Map([...read.notes.leftOut].map(([reason, names]) => [reason, [...names]]));
  const prices = read.prices.filter(({ price, origin }) => {
    const [fault] = check(contract, price);
    if (fault !== undefined) addName(leftOut, fault, origin);
    return fault === undefined;
  });
  return { ...read, prices, notes: { ...read.notes, leftOut } };
}

/** The contract names all of them. */
const CURRENCIES = /must be in list \[AED, .*\]$/;

/** Faults of a price, without the name of the request around it. */
function check(contract: Contract, price: FilePrice['price']): string[] {
  const violations = contract.checkPrice({ price, requestId: 'check', allowPast: false });
  return violations.map(({ field, description }) =>
    `${field.replace(/^price\./, '')}: ${description}`.replace(CURRENCIES, 'is not a currency such as USD'),
  );
}
