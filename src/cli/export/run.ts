/** One export of charges from the first one to the summary. */

import { createHash } from 'node:crypto';
import { ChargeServiceClient, ExportChargesRequest } from '../../../generated/charge/v1/charge_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { CHARGE_COLUMNS } from './charge-columns.ts';
import { exportedCharges } from './charge-source.ts';
import { lineFormat } from './format.ts';
import { checkColumns, itemsOf, type Item } from './item.ts';
import type { LineFormat } from './line-format.ts';
import type { ExportOptions } from './options.ts';
import { writeParquet } from './parquet.ts';
import { report, writeExport, type OpenFile } from './write.ts';

const CONNECT_TIMEOUT_MS = 5000;

/** What the parts of a run share. */
interface Run {
  readonly options: ExportOptions;
  readonly client: ChargeServiceClient;
  readonly interrupt: AbortSignal;
  readonly file: OpenFile;
}

/**
 * Runs an export, prints its summary, and returns the exit status. Rejects with a {@link UsageError} before anything
 * was written.
 */
export async function runExport(options: ExportOptions, interrupt: AbortSignal): Promise<number> {
  const client = openClient(ChargeServiceClient, options.server);
  const format = options.format === 'parquet' ? undefined : lineFormat(options.format);
  const identity = format && identityOf(options, format);
  const job = { options, interrupt, noun: 'charges', identity } as const;
  try {
    await waitForServer(client, CONNECT_TIMEOUT_MS);
    return await writeExport(job, (file) => {
      const run = { options, client, interrupt, file };
      return format
        ? writeLines(run, format)
        : writeParquet('charge', CHARGE_COLUMNS, allItems(run), (bytes) => file.write(bytes));
    });
  } catch (error) {
    if (!(error instanceof ServiceUnavailable)) throw error;
    return report(job, undefined, error);
  } finally {
    client.close();
  }
}

/** Writes response by response, so that a later run can go on after any of them. */
async function writeLines(run: Run, format: LineFormat<Item>): Promise<void> {
  const { file } = run;
  if (file.start.bytes === 0) await file.write(format.head);
  for await (const { resumeToken, items } of responses(run, file.start.resumeToken)) {
    await file.write(format.lines(items));
    if (resumeToken !== '') await file.reached(resumeToken);
  }
}

async function* allItems(run: Run): AsyncGenerator<Item> {
  for await (const { items } of responses(run, '')) {
    items.forEach(checkColumns);
    yield* items;
  }
}

async function* responses(
  { options, client, interrupt, file: { totals, progress } }: Run,
  resumeToken: string,
): AsyncGenerator<{ readonly resumeToken: string; readonly items: readonly Item[] }> {
  const { retryTimeoutMs } = options;
  const onTrouble = (text: string): void =>
    progress.notice(`${text}; trying again for up to ${retryTimeoutMs / 1000} s`);
  const request = { ...requestOf(options), resumeToken };
  for await (const response of exportedCharges(client, request, {
    retryTimeoutMs,
    signal: interrupt,
    onTrouble,
  })) {
    const items = itemsOf(response.charges);
    totals.add(items.length, items.at(-1)?.charge.usageTime);
    yield { resumeToken: response.resumeToken, items };
    progress.update(totals.count);
  }
}

function requestOf({ filter, includeCorrected, format }: ExportOptions): ExportChargesRequest {
  return { filter, includeCorrected, includeCostLines: format === 'focus', resumeToken: '' };
}

/** The same for commands whose files have the same bytes. */
function identityOf(options: ExportOptions, { head }: LineFormat<Item>): string {
  const request = Buffer.from(ExportChargesRequest.encode(requestOf(options)).finish()).toString('base64');
  const parts = JSON.stringify([options.format, options.server.address, head, request]);
  return createHash('sha256').update(parts).digest('base64url');
}
