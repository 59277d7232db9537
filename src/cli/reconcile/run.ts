/** One run of `charge reconcile`: the call, what a person sees meanwhile, and the report. */

import type { ServiceError } from '@grpc/grpc-js';
import type { JsonValue } from '@bufbuild/protobuf';
import {
  type ReconcileFinding,
  type ReconcileProgress,
  type ReconcileRequest,
  type ReconcileResponse,
  type ReconcileSummary,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { EXIT } from '../command.ts';
import { type Server } from '../connection.ts';
import { openContract } from '../contract.ts';
import { describeWithFlags } from '../field-flags.ts';
import { tableText } from '../prices/table.ts';
import { group, type Progress, startProgress } from '../progress.ts';
import { adviceOn as adviceOnError, errorOfCall } from '../server-error.ts';
import { driftRows, TITLES } from './drift.ts';
import { adviceOn, comparedLines, progressText } from './words.ts';

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
    seen.failure = interrupt.aborted ? STOPPED : failureOf(error);
  } finally {
    progress.stop();
    client.close();
  }
  if (options.json) process.stdout.write(`${jsonOf(seen)}\n`);
  else printText(seen, options.request.repair);
  if (seen.failure !== undefined || seen.summary === undefined) return EXIT.failed;
  return seen.summary.drifts === 0n ? EXIT.ok : EXIT.rejected;
}

/** Why a run did not come to its end. */
interface RunFailure {
  readonly status: 'aborted' | 'interrupted';
  readonly text: string;
  /** Whether the same command may succeed. */
  readonly mayRepeat: boolean;
}

const STOPPED: RunFailure = { status: 'interrupted', text: 'it was stopped', mayRepeat: true };

function failureOf(error: unknown): RunFailure {
  if (error instanceof ServiceUnavailable) return { status: 'aborted', text: error.message, mayRepeat: true };
  if (!(error instanceof Error) || !('details' in error)) throw error;
  const failure = errorOfCall(error as ServiceError);
  return {
    status: 'aborted',
    text: describeWithFlags(failure, { start_time: '--from', end_time: '--to', checks: '--check' }),
    mayRepeat: adviceOnError(failure) !== 'give_up',
  };
}

/** Everything that the service has said. As a text: how far it is. */
class Seen {
  readonly responses: ReconcileResponse[] = [];
  readonly findings: ReconcileFinding[] = [];
  summary: ReconcileSummary | undefined;
  failure: RunFailure | undefined;
  #progress: ReconcileProgress | undefined;

  add(response: ReconcileResponse, shown: Progress): void {
    const { content } = response;
    if (content?.$case === 'progress') {
      this.#progress = content.value;
      shown.update(Number(content.value.done));
      return;
    }
    this.responses.push(response);
    if (content?.$case === 'finding') this.findings.push(content.value);
    if (content?.$case === 'summary') this.summary = content.value;
  }

  toString(): string {
    const found = this.findings.length > 0 ? `, ${group(this.findings.length)} findings` : '';
    return `${this.#progress === undefined ? 'comparing' : progressText(this.#progress)}${found}`;
  }
}

/** The findings and the summary are those of the contract. */
function jsonOf({ responses, summary, failure }: Seen): string {
  const contract = openContract();
  const messages = responses.map(
    (response) => contract.reconcileToJson(response) as Record<string, JsonValue>,
  );
  const status = failure?.status ?? (summary?.drifts === 0n ? 'agrees' : 'differs');
  return JSON.stringify({
    status,
    error: failure?.text ?? null,
    findings: messages.flatMap(({ finding }) => finding ?? []),
    summary: messages.at(-1)?.['summary'] ?? null,
  });
}

function printText({ findings, summary, failure }: Seen, isRepair: boolean): void {
  const rows = driftRows(findings);
  if (rows.length > 0) process.stdout.write(`${tableText(TITLES, rows)}\n\n`);
  if (failure !== undefined || summary === undefined) {
    const { text, mayRepeat } = failure ?? { text: 'the service ended the call', mayRepeat: true };
    const again = mayRepeat ? '\nRun the same command again: nothing is done twice.' : '';
    process.stderr.write(`Not completed: ${text}${again}\n`);
    return;
  }
  const named = BigInt(findings.length);
  const found = summary.counts.reduce((sum, count) => sum + count.found, 0n);
  const end =
    summary.drifts === 0n
      ? isRepair && found > 0n
        ? 'Everything agrees now'
        : 'Everything agrees'
      : `${group(summary.drifts)} ${summary.drifts === 1n ? 'finding is' : 'findings are'} not repaired`;
  const lines = [
    ...adviceOn(summary),
    ...(found > named ? [`${group(found - named)} more findings are counted, but not shown.`] : []),
    `${end}, as of sequence ${summary.lastSequence}. Compared:`,
    ...comparedLines(summary),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
