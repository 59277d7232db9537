/** One import from the first byte of the file to the summary. */

import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { addAbortSignal } from 'node:stream';
import { Importer } from './importer.ts';
import { UsageError, type ImportOptions } from './options.ts';
import { planImport, type ImportPlan } from './plan.ts';
import { startProgress } from './progress.ts';
import { readLines } from './read-lines.ts';
import { openRows, type Row, type RowSource } from './read-rows.ts';
import { ServiceUnreachable } from './record-stream.ts';
import { placeRejects, RejectFile } from './rejects.ts';
import { toJson, toText, type Ending, type Report } from './report.ts';
import { fileIdOfContent, fileIdOfName } from './request-id.ts';
import { Totals } from './totals.ts';

/** Where an import reads and writes; the process's own streams, but for tests. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WriteStream;
}

const CONNECT_TIMEOUT_MS = 5000;
/** After Ctrl-C: how long the answers to what was sent are waited for. */
const INTERRUPT_TIMEOUT_MS = 10_000;
const READ_BYTES = 262_144;
/** Unreadable rows at the beginning that are kept until one tells the columns. */
const HEAD_ROWS_MAX = 100;

/**
 * Runs an import and prints its summary. `interrupt` stops it: no further row is read, what was sent
 * is waited for. Rejects with a {@link UsageError} before anything was sent.
 */
export async function runImport(
  options: ImportOptions,
  streams: Streams,
  interrupt: AbortSignal,
): Promise<Ending> {
  const startedAt = Date.now();
  const { totalBytes, rejectsPath } = inspect(options);
  // Reading stops on Ctrl-C, and when the service is given up while a pipe has nothing to read.
  const reading = new AbortController();
  const input =
    options.file === '-' ? streams.stdin : createReadStream(options.file, { highWaterMark: READ_BYTES });
  addAbortSignal(AbortSignal.any([interrupt, reading.signal]), input);
  const { rows, first, columns, header } = await open(options, input);
  const plan = planImport(columns, options);
  const fileId = first && fileIdOf(options, header, first.raw);
  streams.stderr.write(`${announcement(options, plan, fileId).join('\n')}\n`);

  const totals = new Totals();
  const rejects = new RejectFile(rejectsPath, fileId ?? '');
  const progress = startProgress(streams.stderr, totalBytes);
  const importer = new Importer({
    options,
    plan,
    fileId: fileId ?? '',
    totals,
    rejects,
    progress,
    stopReading: () => reading.abort(),
  });
  let error: string | undefined;
  try {
    if (first) {
      await importer.connect(CONNECT_TIMEOUT_MS);
      await importer.run(rows, interrupt, INTERRUPT_TIMEOUT_MS);
    }
  } catch (cause) {
    error = explain(cause, totals);
  } finally {
    importer.close();
    progress.stop();
    input.destroy();
  }
  const ending = endingOf(error, interrupt.aborted, totals);
  const staleRejectsPath = totals.rejected === 0 ? rejects.earlierPath : undefined;
  const report: Report = {
    ending,
    file: options.file,
    address: options.address,
    fileId,
    firstRow: first?.line,
    totals,
    rejectsPath: rejects.finish(ending === 'stored' || ending === 'rejected'),
    staleRejectsPath,
    warnings: importer.warnings,
    error,
    elapsedMs: Date.now() - startedAt,
  };
  streams.stdout.write(`${options.json ? toJson(report) : toText(report)}\n`);
  return ending;
}

function inspect(options: ImportOptions): { totalBytes: number | undefined; rejectsPath: string } {
  const faults: string[] = [];
  let totalBytes: number | undefined;
  if (options.file !== '-') {
    const stat = statSync(options.file, { throwIfNoEntry: false });
    if (!stat) faults.push(`${options.file}: there is no such file`);
    else if (stat.isDirectory()) faults.push(`${options.file} is a folder`);
    else if (stat.isFile()) totalBytes = stat.size;
  }
  const place = placeRejects(options.rejectsPath, options.file, options.rejectsIsDefault);
  if ('fault' in place) faults.push(place.fault);
  if (faults.length > 0 || 'fault' in place) throw new UsageError(faults);
  return { totalBytes, rejectsPath: place.path };
}

/** Reads as far as the plan and the file id need: to the first row that can be read. */
async function open(options: ImportOptions, input: Readable) {
  const head: Row[] = [];
  let source: RowSource;
  let rest: AsyncIterator<Row>;
  try {
    source = await openRows(readLines(input), options.format, options.delimiter);
    rest = source.rows[Symbol.asyncIterator]();
    while (head.length < HEAD_ROWS_MAX && head.every(({ fault }) => fault !== undefined)) {
      const row = await rest.next();
      if (row.done) break;
      head.push(row.value);
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new UsageError([`${options.file}: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const columns = options.format === 'ndjson' ? (head.at(-1)?.columns ?? []) : source.columns;
  return { header: source.header, columns, first: head[0], rows: chain(head, rest) };
}

async function* chain(head: readonly Row[], rest: AsyncIterator<Row>): AsyncGenerator<Row> {
  yield* head;
  yield* { [Symbol.asyncIterator]: () => rest };
}

function fileIdOf(options: ImportOptions, header: string, firstRow: string): string {
  if (options.fileId !== undefined) return options.fileId;
  return options.sourceName === undefined
    ? fileIdOfContent(header, firstRow)
    : fileIdOfName(options.sourceName);
}

function announcement(options: ImportOptions, plan: ImportPlan, fileId: string | undefined): string[] {
  const ids =
    options.requestIdColumn === undefined
      ? `import:${fileId ?? 'none, there are no rows'}:LINE`
      : `column ${options.requestIdColumn}`;
  return [
    `Importing ${options.file} (${options.format}) into ${options.address}`,
    ...plan.announcement,
    `  request ids: ${ids}`,
    ...plan.warnings.map((warning) => `warning: ${warning}`),
  ];
}

/** What to say about an error that ended the import; a defect of the importer is thrown on. */
function explain(cause: unknown, totals: Totals): string {
  if (cause instanceof ServiceUnreachable) {
    return totals.answered > 0
      ? cause.message
      : `${cause.message}. Is the service running there? "npm start" starts it; --address HOST:PORT names another.`;
  }
  if (cause instanceof Error && 'code' in cause) return `reading stopped: ${cause.message}`;
  throw cause;
}

function endingOf(error: string | undefined, isInterrupted: boolean, totals: Totals): Ending {
  if (isInterrupted) return 'interrupted';
  if (error !== undefined) return 'aborted';
  return totals.rejected > 0 ? 'rejected' : 'stored';
}
