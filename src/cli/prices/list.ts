/** `charge prices list`: the versions that are in force, or all of them. */

import type { Command } from 'commander';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { ModelMatch, type Price } from '../../../generated/charge/v1/price_service.ts';
import { EXIT, throwFaults, type RunCommand } from '../command.ts';
import { addConnectionFlags, readServer } from '../connection.ts';
import { openContract } from '../contract.ts';
import { listPrices } from '../lists.ts';
import { withSession } from '../session.ts';
import { readProvider } from './litellm/models.ts';
import { basisText, shortName } from './price-text.ts';
import { tableText } from './table.ts';
import { BEGINNING, microsOf, timeText } from '../time.ts';

/** Adds the subcommand to the group. */
export function addList(prices: Command, run: RunCommand): void {
  const list = prices
    .command('list')
    .summary('show the prices in force')
    .description('Shows the prices in force: of 1,000,000 tokens, or of one of anything else.')
    .option('--all', 'all versions, also those that are not in force')
    .option('--provider <name>', 'only this provider: openai, PROVIDER_OPENAI, openrouter')
    .option('--model <prefix>', 'only models that begin like this', '')
    .option('--json', 'print an array of charge.v1.Price in proto3 JSON, which charge prices import reads')
    .action(() => run((interrupt) => runList(list, interrupt)));
  addConnectionFlags(list);
}

interface Flags {
  readonly all?: boolean;
  readonly json?: boolean;
  readonly provider?: string;
  readonly model: string;
}

function runList(command: Command, interrupt: AbortSignal): Promise<number> {
  const { all: allVersions = false, json, model: modelPrefix, ...flags } = command.opts<Flags>();
  const faults: string[] = [];
  const server = readServer(command, faults);
  throwFaults(faults);
  const wanted = flags.provider === undefined ? undefined : readProvider(flags.provider);
  return withSession({ server, json }, interrupt, async (session) => {
    const provider = wanted?.provider ?? Provider.PROVIDER_UNSPECIFIED;
    const listed = await listPrices(session, { provider, modelPrefix, allVersions });
    const prices = listed.filter(({ key }) => !wanted || key?.otherProvider === wanted.name);
    process.stdout.write(`${json ? toJson(prices) : toTable(prices)}\n`);
    return EXIT.ok;
  });
}

function toJson(prices: readonly Price[]): string {
  const contract = openContract();
  // One price a line, so that a fault can name its line when the list is imported.
  return `[\n${prices.map((price) => JSON.stringify(contract.priceToJson(price))).join(',\n')}\n]`;
}

const TITLES = ['VERSION', 'PROVIDER', 'MODEL', 'TYPE', 'TIER', 'REGION', 'FROM', 'PRICE'];

function toTable(prices: readonly Price[]): string {
  if (prices.length === 0) return 'There are no such prices. charge prices import FILE adds some.';
  return tableText(TITLES, prices.map(rowOf));
}

function rowOf(price: Price): string[] {
  const { key, version, effectiveTime } = price;
  if (!key) return [String(version)];
  const isPrefix = key.modelMatch === ModelMatch.MODEL_MATCH_PREFIX;
  return [
    String(version),
    key.otherProvider || shortName(Provider, key.provider),
    key.model === '' ? '(any)' : `${key.model}${isPrefix ? '*' : ''}`,
    shortName(ChargeType, key.chargeType),
    shortName(ServiceTier, key.serviceTier || ServiceTier.SERVICE_TIER_STANDARD),
    key.region,
    effectiveTime && microsOf(effectiveTime) > microsOf(BEGINNING)
      ? timeText(effectiveTime)
      : 'the beginning',
    basisText(price),
  ];
}
