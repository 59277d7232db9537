/** `charge amend`: replaces a charge by another one. */

import type { Command } from 'commander';
import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import type { AmendChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import type { Cost } from '../../../generated/charge/v1/money.ts';
import { PriceServiceClient, type EstimateCostResponse } from '../../../generated/charge/v1/price_service.ts';
import { openClient } from '../client.ts';
import { EXIT, UsageError, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { costText } from '../costs.ts';
import { openContractCheck } from '../import/contract-check.ts';
import { callUnary } from '../unary.ts';
import { amendedCharge, contentOf, differencesOf, type Change, type Difference } from './amended-charge.ts';
import {
  addCorrectionFlags,
  readChargeId,
  readConnection,
  readReason,
  throwFaults,
  withSession,
  type RawFlags,
  type Session,
} from './flags.ts';
import { chargeOf } from './select-charges.ts';

interface AmendOptions {
  readonly id: string;
  readonly changes: readonly Change[];
  readonly requestId: string;
  readonly reason: string;
  readonly allowClosedPeriod: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly yes: boolean;
  readonly address: string;
  readonly retryTimeoutMs: number;
}

const ESTIMATE_TIMEOUT_MS = 2000;

/** Adds the subcommand to the program. */
export function addAmend(program: Command, run: RunCommand): void {
  const command = program
    .command('amend')
    .summary('replace a charge by a corrected one')
    .description(
      'Replaces a charge by one with other values. The original stays on record and counts in no total.',
    )
    .argument('<id>', 'id of the charge')
    .option(
      '--set <field=value>',
      'the new value of a field, named as in charge import; empty takes it away; can be repeated',
      (pair: string, before: string[] = []) => [...before, pair],
    )
    .option('--request-id <id>', 'request id of the replacement (default: amend:ID)')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runAmend(readOptions(command), interrupt)));
  addCorrectionFlags(command);
}

const HELP = `
It shows the fields before and after, the cost now and an estimate of the new one, and asks. total_tokens follows the
two counts if it was their sum. If provider, type, model, tier, region and time stay, the price of the original applies.

Exit status: 0 amended · 1 refused, with the reason · 2 wrong flags, nothing changes, or no agreement: nothing was
sent · 3 the service did not answer; run the same command again
`;

function readOptions(command: Command): AmendOptions {
  const flags = command.opts<RawFlags & { readonly set?: string[]; readonly requestId?: string }>();
  const faults: string[] = [];
  const id = readChargeId(command.args[0] ?? '', faults);
  const changes = (flags.set ?? []).flatMap((pair): Change[] => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (name === '') faults.push(`--set: expected FIELD=VALUE, not ${pair}`);
    return name === '' ? [] : [[name.trim(), value]];
  });
  if (flags.set === undefined) faults.push('--set: name at least one field to change');
  const requestId = flags.requestId ?? `amend:${id}`;
  if (!/^[ -~]{1,128}$/.test(requestId)) faults.push(`--request-id: ${requestId} is not a request id`);
  const options = {
    id,
    changes,
    requestId,
    reason: readReason(flags.reason, faults),
    allowClosedPeriod: flags.allowClosedPeriod ?? false,
    dryRun: flags.dryRun ?? false,
    json: flags.json ?? false,
    yes: flags.yes ?? false,
    ...readConnection(flags, faults),
  };
  throwFaults(faults);
  return options;
}

/** Runs the command and returns the exit status. */
function runAmend(options: AmendOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    const { id, changes, requestId, reason, allowClosedPeriod } = options;
    const original = await chargeOf({ $case: 'id', value: id }, session);
    if (!original) throw new UsageError([`there is no charge ${id}`]);
    if (original.state !== ChargeState.CHARGE_STATE_ACTIVE) return alreadyCorrected(original);
    const { charge, differences } = plan(original, changes, requestId);
    const estimate = await estimateOf(charge, session);
    process.stderr.write(`${planText(original, differences, estimate)}\n`);
    if (options.dryRun) return report(options, differences, estimate, undefined);
    await agree('Amend this charge?', options.yes, interrupt);
    const request = {
      key: { $case: 'id', value: id } as const,
      charge,
      requestId,
      reason,
      allowClosedPeriod,
    };
    const response = await callUnary<AmendChargeResponse>(
      (metadata, deadline, done) => session.client.amendCharge(request, metadata, deadline, done),
      session.repeats,
    );
    return report(options, differences, estimate, response);
  });
}

function alreadyCorrected({ id, state, replacedBy }: Charge): number {
  const isVoided = state === ChargeState.CHARGE_STATE_VOIDED;
  const text = isVoided ? 'was voided' : `was amended: charge ${replacedBy} counts in its place`;
  process.stderr.write(`Charge ${id} ${text}. Nothing was changed.\n`);
  return EXIT.rejected;
}

/** Throws a {@link UsageError} if a value cannot be read, breaks a rule of the contract, or if nothing changes. */
function plan(original: Charge, changes: readonly Change[], requestId: string) {
  const faults: string[] = [];
  const charge = amendedCharge(original, changes, faults);
  throwFaults(faults);
  const violations = openContractCheck()({ charge, requestId, importId: '' });
  throwFaults(violations.map(({ field, description }) => `${field.replace(/^charge\./, '')} ${description}`));
  const differences = differencesOf(contentOf(original), charge);
  if (differences.length === 0) throw new UsageError(['the charge has these values already']);
  return { charge, differences };
}

/** What the charge would cost if it were recorded now. Undefined: the service does not tell. */
async function estimateOf(charge: Charge, { address, repeats }: Session): Promise<Cost | undefined> {
  const client = openClient(PriceServiceClient, address);
  try {
    const { cost } = await callUnary<EstimateCostResponse>(
      (metadata, deadline, done) => client.estimateCost({ charge }, metadata, deadline, done),
      { ...repeats, retryTimeoutMs: ESTIMATE_TIMEOUT_MS },
    );
    return cost;
  } catch (error) {
    // The amendment does not depend on it.
    if (repeats.interrupt.aborted) throw error;
    return undefined;
  } finally {
    client.close();
  }
}

function planText(
  { id, cost }: Charge,
  differences: readonly Difference[],
  estimate: Cost | undefined,
): string {
  return [
    `Charge ${id}`,
    ...differences.map(
      ({ field, before, after }) => `  ${field}: ${before || '(none)'} → ${after || '(none)'}`,
    ),
    `  cost: ${costText(cost)} → ${costText(estimate)} (estimate, with the prices that are in force now)`,
  ].join('\n');
}

function report(
  { id, json, dryRun }: AmendOptions,
  differences: readonly Difference[],
  estimate: Cost | undefined,
  response: AmendChargeResponse | undefined,
): number {
  const { charge, replayed = false } = response ?? {};
  const text = dryRun
    ? 'Dry run, nothing was changed.'
    : `Charge ${charge?.id} counts in place of ${id}. It costs ${costText(charge?.cost)}.`;
  const object = {
    status: dryRun ? 'dry_run' : 'amended',
    charge_id: id,
    replacement_id: charge?.id ?? null,
    replayed,
    changes: differences,
    estimated_cost: costJson(estimate),
    cost: costJson(charge?.cost),
  };
  process.stdout.write(`${json ? JSON.stringify(object) : text}\n`);
  return EXIT.ok;
}

function costJson(cost: Cost | undefined): object | null {
  const { amount } = cost ?? {};
  return amount ? { currency_code: amount.currencyCode, nanos: String(amount.nanos) } : null;
}
