/** `charge history`: everything that happened to a charge. */

import type { Command } from 'commander';
import { chargeStateToJSON, providerToJSON, type Charge } from '../../../generated/charge/v1/charge.ts';
import {
  ChargeServiceService,
  type GetChargeHistoryResponse,
  type CostRevision,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Correction } from '../../../generated/charge/v1/event.ts';
import { usageKindToJSON } from '../../../generated/charge/v1/money.ts';
import { EXIT, throwFaults, type RunCommand } from '../command.ts';
import { openContract } from '../contract.ts';
import { costText } from '../costs.ts';
import { formatNanos } from '../money.ts';
import { group } from '../progress.ts';
import { withSession } from '../session.ts';
import { safeName } from '../usage/names.ts';
import { addCommonFlags, readChargeId, readConnection } from './flags.ts';
import { timeText } from '../time.ts';

/** Adds the subcommand to the program. */
export function addHistory(program: Command, run: RunCommand): void {
  const command = program
    .command('history')
    .summary('show what happened to a charge')
    .description('Shows a charge, every cost that it had, and its correction.')
    .argument('[id]', 'id of the charge')
    .option('--request-id <id>', 'the charge that this request id made')
    .action(() => run((interrupt) => runHistory(command, interrupt)));
  addCommonFlags(command);
}

function runHistory(command: Command, interrupt: AbortSignal): Promise<number> {
  const { requestId } = command.opts<{ readonly requestId?: string }>();
  const faults: string[] = [];
  const [id] = command.args;
  if ((id === undefined) === (requestId === undefined))
    faults.push('name one charge, by its id or by --request-id');
  const key =
    requestId === undefined
      ? ({ $case: 'id', value: id === undefined ? '' : readChargeId(id, faults) } as const)
      : ({ $case: 'requestId', value: requestId } as const);
  const connection = readConnection(command, faults);
  throwFaults(faults);
  return withSession(connection, interrupt, async (session) => {
    const history = await session.call(ChargeServiceService.getChargeHistory, { key });
    const text = connection.json
      ? JSON.stringify(openContract().historyToJson(history))
      : historyText(history);
    process.stdout.write(`${text}\n`);
    return EXIT.ok;
  });
}

function historyText({ charge, costs, correction }: GetChargeHistoryResponse): string {
  return [
    ...(charge ? chargeLines(charge) : []),
    ...costs.flatMap(costLines),
    ...(correction ? correctionLines(correction) : []),
  ]
    .map(safeName)
    .join('\n');
}

function chargeLines(charge: Charge): string[] {
  const { provider, otherProvider, model, promptTokens, completionTokens } = charge;
  const source = otherProvider || providerToJSON(provider).replace('PROVIDER_', '');
  return [
    `Charge ${charge.id}: ${chargeStateToJSON(charge.state).replace('CHARGE_STATE_', '')}`,
    `  ${charge.userProfile}, ${source} ${model}, usage ${timeText(charge.usageTime)}`,
    `  ${group(promptTokens)} prompt + ${group(completionTokens)} completion tokens`,
    ...(charge.reportedCost
      ? [`  reported cost ${formatNanos(charge.reportedCost.nanos)} ${charge.reportedCost.currencyCode}`]
      : []),
    ...(charge.importId === '' ? [] : [`  recorded by import ${charge.importId}`]),
    ...(charge.amends === '' ? [] : [`  counts in place of ${charge.amends}`]),
  ];
}

function costLines({ cost, createTime, runId, reason, sequence }: CostRevision): string[] {
  const origin = runId === '' ? 'recorded' : `repriced by ${runId} (${reason}), sequence ${sequence}`;
  const version = cost && cost.priceVersion > 0n ? `, price version ${cost.priceVersion}` : '';
  return [
    `${timeText(createTime)}  ${costText(cost)}${version}: ${origin}`,
    ...(cost?.lines ?? []).map(
      ({ kind, quantity, nanosPerMillion, nanos }) =>
        `  ${usageKindToJSON(kind).replace('USAGE_KIND_', '')} ${group(quantity)} at ${formatNanos(nanosPerMillion)} per 1,000,000 = ${formatNanos(nanos)}`,
    ),
  ];
}

function correctionLines({
  state,
  reason,
  createTime,
  replacementId,
  closedPeriod,
  sequence,
}: Correction): string[] {
  const what = chargeStateToJSON(state).replace('CHARGE_STATE_', '');
  const place = replacementId === '' ? '' : `, replaced by ${replacementId}`;
  const closed = closedPeriod ? ', in a closed period' : '';
  return [`${timeText(createTime)}  ${what}: ${reason}${place}${closed}, sequence ${sequence}`];
}
