/** `charge prices list`: the versions that are in force, or all of them. */

import type { Command } from 'commander';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { ModelMatch, type Price } from '../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { addressOption, EXIT, UsageError, type RunCommand } from '../command.ts';
import { openPriceContract } from './contract.ts';
import { failed } from './failure.ts';
import { readAddressOf, refuseArguments } from './flags.ts';
import { readProvider } from './litellm/models.ts';
import { basisText, shortName } from './price-text.ts';
import { PriceApi } from './service.ts';
import { tableText } from './table.ts';
import { BEGINNING, microsOf, readTime, timeText } from './time.ts';

interface ListOptions {
  readonly address: string;
  readonly all?: boolean;
  readonly json?: boolean;
  /** Undefined: every provider. */
  readonly provider: { readonly provider: Provider; readonly name: string } | undefined;
  readonly model: string;
  /** Undefined: now. */
  readonly at: Timestamp | undefined;
}

/** Adds the subcommand to the group. */
export function addList(prices: Command, run: RunCommand): void {
  const list = prices
    .command('list')
    .summary('show the prices in force')
    .description('Shows the prices in force: of 1,000,000 tokens, or of one of anything else.')
    .allowExcessArguments()
    .addOption(addressOption())
    .option('--all', 'all versions, also those that are not in force')
    .option('--provider <name>', 'only this provider: openai, PROVIDER_OPENAI, openrouter')
    .option('--model <prefix>', 'only models that begin like this', '')
    .option('--at <time>', 'what is in force at this moment (default: now)')
    .option('--json', 'print an array of charge.v1.Price in proto3 JSON, which charge prices import reads')
    .action(() => run(() => runList(readListOptions(list))));
}

function readListOptions(command: Command): ListOptions {
  const flags = command.opts<{
    all?: boolean;
    json?: boolean;
    provider?: string;
    model: string;
    at?: string;
  }>();
  const faults: string[] = [];
  refuseArguments(command, faults);
  if (flags.all && flags.at !== undefined) faults.push('--all and --at: choose one');
  const options = {
    ...flags,
    address: readAddressOf(command, faults),
    provider: flags.provider === undefined ? undefined : readProvider(flags.provider),
    at: readTime('--at', flags.at, faults),
  };
  if (faults.length > 0) throw new UsageError(faults);
  return options;
}

async function runList(options: ListOptions): Promise<number> {
  const { provider, model, at } = options;
  try {
    const listed = await PriceApi.use(options.address, (api) =>
      api.listAll({
        provider: provider?.provider ?? Provider.PROVIDER_UNSPECIFIED,
        modelPrefix: model,
        effectiveAt: at,
        allVersions: options.all ?? false,
      }),
    );
    const prices = listed.filter(({ key }) => !provider || key?.otherProvider === provider.name);
    process.stdout.write(`${options.json ? toJson(prices) : toTable(prices)}\n`);
    return EXIT.ok;
  } catch (error) {
    return failed(error, 'Nothing was listed.', options.json);
  }
}

function toJson(prices: readonly Price[]): string {
  const contract = openPriceContract();
  // One price a line, so that a fault can name its line when the list is imported.
  return `[\n${prices.map((price) => JSON.stringify(contract.toJson(price))).join(',\n')}\n]`;
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
