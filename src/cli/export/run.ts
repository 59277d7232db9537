/** One export from the first charge to the summary. */

import { createHash } from 'node:crypto';
import { ChargeServiceClient, ExportChargesRequest } from '../../../generated/charge/v1/charge_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { EXIT } from '../command.ts';
import { group, startProgress, type Progress } from '../progress.ts';
import { Refused } from '../session.ts';
import { itemsOf, type Item } from './item.ts';
import { exportedCharges } from './charge-source.ts';
import { lineFormat } from './format.ts';
import type { LineFormat } from './line-format.ts';
import type { ExportOptions } from './options.ts';
import { writeParquet } from './parquet.ts';
import { openPartFile } from './part-file.ts';
import { ReaderGone, standardOutput, WriteFailed, type Sink } from './sink.ts';
import { ExportTotals, sizeText } from './totals.ts';

const CONNECT_TIMEOUT_MS = 5000;

/** What the parts of a run share. */
interface Run {
  readonly options: ExportOptions;
  readonly client: ChargeServiceClient;
  readonly interrupt: AbortSignal;
  readonly sink: Sink;
  readonly totals: ExportTotals;
  readonly progress: Progress;
}

/**
 * Runs an export, prints its summary, and returns the exit status. Rejects with a {@link UsageError} before anything
 * was written.
 */
export async function runExport(options: ExportOptions, interrupt: AbortSignal): Promise<number> {
  const client = openClient(ChargeServiceClient, options.server);
  try {
    await waitForServer(client, CONNECT_TIMEOUT_MS);
    const format = options.format === 'parquet' ? undefined : lineFormat(options.format);
    const { output, force } = options;
    const identity = format && identityOf(options, format);
    const sink = output === undefined ? standardOutput() : await openPartFile(output, { identity, force });
    return await withSink({ options, client, interrupt, sink, totals: new ExportTotals(sink.start) }, format);
  } catch (error) {
    if (!(error instanceof ServiceUnavailable)) throw error;
    return report(options, undefined, error, interrupt.aborted);
  } finally {
    client.close();
  }
}

async function withSink(run: Omit<Run, 'progress'>, format: LineFormat | undefined): Promise<number> {
  const { options, sink, totals, interrupt } = run;
  const progress = startProgress(process.stderr, undefined, totals);
  if (totals.before > 0) progress.notice(`Going on after ${group(totals.before)} charges.`);
  let error: Error | undefined;
  try {
    if (format) await writeLines({ ...run, progress }, format);
    else await writeParquet(allItems({ ...run, progress }), (bytes) => write(run, bytes));
    await sink.finish();
  } catch (cause) {
    error = cause as Error;
  } finally {
    progress.stop();
    if (error) await sink.close();
  }
  return report(options, totals, error, interrupt.aborted);
}

/** Writes response by response, so that a later run can go on after any of them. */
async function writeLines(run: Run, format: LineFormat): Promise<void> {
  const { sink, totals } = run;
  if (sink.start.bytes === 0) await write(run, format.head);
  for await (const { resumeToken, items } of responses(run, sink.start.resumeToken)) {
    await write(run, format.lines(items));
    const { charges, bytes } = totals;
    if (resumeToken !== '') await sink.reached({ resumeToken, charges, bytes });
  }
}

async function* allItems(run: Run): AsyncGenerator<Item> {
  for await (const { items } of responses(run, '')) yield* items;
}

async function* responses(
  { options, client, interrupt, totals, progress }: Run,
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
    totals.add(items);
    yield { resumeToken: response.resumeToken, items };
    progress.update(totals.charges);
  }
}

async function write(
  { sink, totals }: Pick<Run, 'sink' | 'totals'>,
  bytes: string | Uint8Array,
): Promise<void> {
  await sink.write(bytes);
  totals.bytes += typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
}

function requestOf({ filter, includeCorrected, format }: ExportOptions): ExportChargesRequest {
  return { filter, includeCorrected, includeCostLines: format === 'focus', resumeToken: '' };
}

/** The same for commands whose files have the same bytes. */
function identityOf(options: ExportOptions, { head }: LineFormat): string {
  const request = Buffer.from(ExportChargesRequest.encode(requestOf(options)).finish()).toString('base64');
  const parts = JSON.stringify([options.format, options.server.address, head, request]);
  return createHash('sha256').update(parts).digest('base64url');
}

/** Tells how the export ended, and returns the exit status. Any error of another kind is thrown on. */
function report(
  options: ExportOptions,
  totals: ExportTotals | undefined,
  error: Error | undefined,
  isInterrupted: boolean,
): number {
  const { charges = 0, bytes = 0, elapsedMs = 0, before = 0 } = totals ?? {};
  // Whoever reads standard output has seen enough.
  if (error instanceof ReaderGone) return EXIT.ok;
  const isKnown = [WriteFailed, Refused, ServiceUnavailable].some((kind) => error instanceof kind);
  if (error && !isKnown && !isInterrupted) throw error;
  const place = options.output ?? 'standard output';
  const seconds = (elapsedMs / 1000).toFixed(1);
  const status = !error
    ? 'done'
    : isInterrupted
      ? 'interrupted'
      : error instanceof Refused
        ? 'refused'
        : 'aborted';
  if (status === 'done')
    process.stderr.write(
      `Exported ${group(charges)} charges to ${place} in ${seconds} s (${sizeText(bytes)})\n`,
    );
  else {
    if (!isInterrupted)
      process.stderr.write(`${status === 'refused' ? 'The service refused: ' : ''}${error?.message}\n`);
    process.stderr.write(`${advice(options, charges)}\n`);
  }
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ status, file: place, format: options.format, charges, resumed_after: before, bytes, elapsed_ms: elapsedMs, error: error && !isInterrupted ? error.message : null })}\n`,
    );
  if (status === 'done') return EXIT.ok;
  return status === 'refused' ? EXIT.rejected : EXIT.failed;
}

function advice({ output, format }: ExportOptions, charges: number): string {
  if (output === undefined) return `The output is incomplete: it ends after ${group(charges)} charges.`;
  return format === 'parquet'
    ? `${output} was not written. The same command starts over: a Parquet file cannot go on.`
    : `${output} was not written. The same command goes on with ${output}.part.`;
}
