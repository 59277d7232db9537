/** `charge amend`: replaces a charge by another one. */

import type { Command } from 'commander';
import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import {
  ChargeServiceService,
  type AmendChargeRequest,
  type AmendChargeResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Cost } from '../../../generated/charge/v1/money.ts';
import { PriceServiceService } from '../../../generated/charge/v1/price_service.ts';
import { EXIT, throwFaults, UsageError, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { openContract } from '../contract.ts';
import { costText } from '../costs.ts';
import { chargeOf } from '../lists.ts';
import { Refused, withSession, type Session } from '../session.ts';
import { safeName } from '../usage/names.ts';
import { amendedCharge, contentOf, differencesOf, type Change, type Difference } from './amended-charge.ts';
import {
  addCorrectionFlags,
  readChargeId,
  readCorrection,
  readRequestId,
  type CorrectionOptions,
} from './flags.ts';

interface AmendOptions extends CorrectionOptions {
  readonly id: string;
  readonly changes: readonly Change[];
  readonly requestId: string;
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

Running the same command again is safe: it finds what it has done, and says "replayed".

Exit status: 0 amended · 1 refused, with the reason · 2 wrong flags, nothing changes, or no agreement: nothing was
sent · 3 the service did not answer; run the same command again
`;

function readOptions(command: Command): AmendOptions {
  const flags = command.opts<{ readonly set?: string[]; readonly requestId?: string }>();
  const faults: string[] = [];
  const id = readChargeId(command.args[0] ?? '', faults);
  const changes = (flags.set ?? []).flatMap((pair): Change[] => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (name === '') faults.push(`--set: expected FIELD=VALUE, not ${pair}`);
    return name === '' ? [] : [[name.trim(), value]];
  });
  if (flags.set === undefined) faults.push('--set: name at least one field to change');
  const requestId = readRequestId(flags.requestId ?? `amend:${id}`, faults);
  const options = { id, changes, requestId, ...readCorrection(command, faults) };
  throwFaults(faults);
  return options;
}

/** Runs the command and returns the exit status. */
function runAmend(options: AmendOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    const { id, changes, requestId, reason, allowClosedPeriod } = options;
    const original = await chargeOf(session, { $case: 'id', value: id });
    if (!original) throw new UsageError([`there is no charge ${id}`]);
    const isAmended = original.state === ChargeState.CHARGE_STATE_AMENDED;
    if (original.state === ChargeState.CHARGE_STATE_VOIDED || (isAmended && options.dryRun))
      return alreadyCorrected(original);
    const { charge, differences } = plan(original, changes, requestId);
    const key = { $case: 'id', value: id } as const;
    const request = { key, charge, requestId, reason, allowClosedPeriod };
    if (isAmended) return replay(options, original, differences, session, request);
    const estimate = await estimateOf(charge, session);
    process.stderr.write(`${planText(original, differences, estimate)}\n`);
    if (options.dryRun) return report(options, differences, estimate, undefined);
    await agree('Amend this charge?', options.yes, interrupt);
    const response = await session.call(ChargeServiceService.amendCharge, request);
    return report(options, differences, estimate, response);
  });
}

/** Of an amended charge the service refuses every other amendment, so nobody needs to be asked. */
async function replay(
  options: AmendOptions,
  original: Charge,
  differences: readonly Difference[],
  session: Session,
  request: AmendChargeRequest,
): Promise<number> {
  try {
    const response = await session.call(ChargeServiceService.amendCharge, request);
    return report(options, differences, undefined, response);
  } catch (error) {
    if (error instanceof Refused && error.error.reason === 'CHARGE_ALREADY_CORRECTED')
      return alreadyCorrected(original);
    throw error;
  }
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
  const violations = openContract().checkCharge({ charge, requestId, importId: '' });
  throwFaults(violations.map(({ field, description }) => `${field.replace(/^charge\./, '')} ${description}`));
  const differences = differencesOf(contentOf(original), charge);
  if (differences.length === 0) throw new UsageError(['the charge has these values already']);
  return { charge, differences };
}

/** What the charge would cost if it were recorded now. Undefined: the service does not tell. */
async function estimateOf(charge: Charge, session: Session): Promise<Cost | undefined> {
  try {
    const request = { charge };
    return (await session.call(PriceServiceService.estimateCost, request, undefined, ESTIMATE_TIMEOUT_MS))
      .cost;
  } catch (error) {
    // The amendment does not depend on it.
    if (session.interrupt.aborted) throw error;
    return undefined;
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
  ]
    .map(safeName)
    .join('\n');
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
    : `${replayed ? 'Replayed, nothing was changed: charge' : 'Charge'} ${charge?.id} counts in place of ${id}. It costs ${costText(charge?.cost)}.`;
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
