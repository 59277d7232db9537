/** One run of `charge reconcile`: the call, what a person sees meanwhile, and the report. */

import type { ServiceError } from '@grpc/grpc-js';
import {
  ReconcileCheck,
  ReconcileFinding,
  type ReconcileProgress,
  type ReconcileRequest,
  type ReconcileResponse,
  ReconcileSummary,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { EXIT } from '../command.ts';
import { type Server } from '../connection.ts';
import { tableText } from '../prices/table.ts';
import { group, type Progress, startProgress } from '../progress.ts';
import { describe, errorOfCall } from '../server-error.ts';
import { adviceOn, dayText, nameOfKind, numberText, subjectOf } from './words.ts';

/** What to do. */
export interface RunOptions {
  readonly server: Server;
  readonly json: boolean;
  readonly request: ReconcileRequest;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Runs to the end and returns the exit status. */
export async function runReconcile(options: RunOptions, interrupt: AbortSignal): Promise<number> {
  const client = openClient(UsageServiceClient, options.server);
  const seen = new Seen();
  const progress = startProgress(process.stderr, undefined, seen);
  try {
    await waitForServer(client, CONNECT_TIMEOUT_MS);
    const stream = client.reconcile(options.request);
    const cancel = (): void => stream.cancel();
    interrupt.addEventListener('abort', cancel, { once: true });
    for await (const response of stream as AsyncIterable<ReconcileResponse>) seen.add(response, progress);
  } catch (error) {
    seen.failure = failureText(error);
  } finally {
    progress.stop();
    client.close();
  }
  if (interrupt.aborted) return EXIT.failed;
  return options.json ? printJson(seen) : printText(seen, options.request.repair);
}

function failureText(error: unknown): string {
  if (error instanceof ServiceUnavailable) return error.message;
  if (!(error instanceof Error) || !('details' in error)) throw error;
  return describe(errorOfCall(error as ServiceError));
}

const CHECK_NAMES: Readonly<Record<number, string>> = {
  [ReconcileCheck.RECONCILE_CHECK_SUMS]: 'sums',
  [ReconcileCheck.RECONCILE_CHECK_JOURNAL]: 'journal',
  [ReconcileCheck.RECONCILE_CHECK_STREAM]: 'stream',
};

/** Everything that the service has said. As a text: how far it is. */
class Seen {
  readonly findings: ReconcileFinding[] = [];
  summary: ReconcileSummary | undefined;
  failure: string | undefined;
  #progress: ReconcileProgress | undefined;

  add({ content }: ReconcileResponse, shown: Progress): void {
    if (content?.$case === 'finding') this.findings.push(content.value);
    if (content?.$case === 'summary') this.summary = content.value;
    if (content?.$case !== 'progress') return;
    this.#progress = content.value;
    shown.update(Number(content.value.done));
  }

  toString(): string {
    if (this.#progress === undefined) return 'comparing';
    const { check, done, total } = this.#progress;
    const found = this.findings.length > 0 ? `, ${group(this.findings.length)} findings` : '';
    return `${CHECK_NAMES[check] ?? ''}: ${group(done)} of ${group(total)}${found}`;
  }
}

function printJson({ findings, summary, failure }: Seen): number {
  const result = {
    status: failure !== undefined ? 'aborted' : summary?.drifts === 0n ? 'agrees' : 'differs',
    ...(failure !== undefined && { error: failure }),
    findings: findings.map((finding) => ReconcileFinding.toJSON(finding)),
    ...(summary && { summary: ReconcileSummary.toJSON(summary) }),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return statusOf(summary, failure);
}

function statusOf(summary: ReconcileSummary | undefined, failure: string | undefined): number {
  if (failure !== undefined || summary === undefined) return EXIT.failed;
  return summary.drifts === 0n ? EXIT.ok : EXIT.rejected;
}

const TITLES = ['DAY', 'FINDING', 'EXPECTED', 'FOUND', 'REPAIRED', 'WHAT'];

function printText({ findings, summary, failure }: Seen, isRepair: boolean): number {
  if (findings.length > 0)
    process.stdout.write(`${tableText(TITLES, [...findings].sort(byDay).map(rowOf))}\n\n`);
  if (failure !== undefined || summary === undefined) {
    const reason = failure ?? 'the service ended the call';
    process.stderr.write(`Not completed: ${reason}\nRun the same command again: nothing is done twice.\n`);
    return EXIT.failed;
  }
  for (const text of adviceOn(summary)) process.stdout.write(`${text}\n`);
  const named = BigInt(findings.length);
  const found = summary.counts.reduce((sum, count) => sum + count.found, 0n);
  if (found > named) process.stdout.write(`${group(found - named)} more are counted, but not shown.\n`);
  const until = `as of event ${group(summary.lastSequence)}`;
  const isGood = summary.drifts === 0n;
  const end = isGood
    ? `Everything ${isRepair && found > 0n ? 'agrees now' : 'agrees'}, ${until}.`
    : `${group(summary.drifts)} findings are not repaired, ${until}.`;
  process.stdout.write(`${end}\n`);
  return statusOf(summary, failure);
}

/** Those without a day come first. */
function byDay(a: ReconcileFinding, b: ReconcileFinding): number {
  return dayText(a) < dayText(b) ? -1 : dayText(a) > dayText(b) ? 1 : 0;
}

function rowOf(finding: ReconcileFinding): string[] {
  return [
    dayText(finding),
    nameOfKind(finding.kind),
    numberText(finding, finding.expected),
    numberText(finding, finding.found),
    finding.repaired ? 'yes' : 'no',
    subjectOf(finding),
  ];
}
