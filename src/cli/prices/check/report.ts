/** What `charge prices check` tells. */

import { ChargeType, Provider } from '../../../../generated/charge/v1/charge.ts';
import { type Server } from '../../connection.ts';
import { ServiceTier, UnpricedReason } from '../../../../generated/charge/v1/money.ts';
import type {
  ListUnpricedUsageResponse,
  Price,
  UnpricedUsage,
} from '../../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { commandLine } from '../../command-line.ts';
import { group } from '../../progress.ts';
import { columnOf } from '../kinds.ts';
import { nearestPrice } from '../nearest.ts';
import { pricesAt, type History } from '../plan.ts';
import { describeKey, shortName } from '../price-text.ts';
import { tableText } from '../table.ts';
import { microsOf, timestampOf, timeText } from '../../time.ts';
import { canBeMended, changesThePast, hasPriceNow } from './template.ts';

/** What one check looks at. */
export interface CheckOptions {
  readonly server: Server;
  readonly from: Timestamp | undefined;
  readonly to: Timestamp | undefined;
  /** Where to write a price file with a row for each usage. */
  readonly csv?: string;
  readonly json?: boolean;
}

/** What the service says. */
export interface Checked {
  readonly usage: ListUnpricedUsageResponse;
  readonly history: History;
  /** Microseconds since 1970. */
  readonly now: bigint;
}

const TITLES = [
  'CHARGES',
  'PROVIDER',
  'MODEL',
  'TYPE',
  'TIER',
  'REGION',
  'WHY',
  'FIRST',
  'LAST',
  'NEAREST BY NAME',
];
const TEMPLATE = 'unpriced.csv';

/** The table and what to type next. */
export function toText(checked: Checked, options: CheckOptions): string {
  const { usages, truncated, pricedCharges, unpricedCharges } = checked.usage;
  const inForce = pricesAt(checked.history, checked.now);
  if (unpricedCharges + pricedCharges === 0n) return 'There are no charges of that time that count.';
  if (unpricedCharges === 0n) return `All ${group(pricedCharges)} charges have a cost.`;
  const all = group(pricedCharges + unpricedCharges);
  return [
    `${group(unpricedCharges)} of ${all} charges have no cost. They are not in any sum.`,
    '',
    tableText(
      TITLES,
      usages.map((usage) => rowOf(usage, checked.history, nearestOf(usage, inForce))),
    ),
    ...(truncated ? [`Only the first ${group(usages.length)} are shown.`] : []),
    '',
    'The nearest price is a guess by the name. It is never applied by itself.',
    ...(usages.some((usage) => !canBeMended(usage))
      ? ['Charges without a reported cost, or out of range, are not mended by a price: amend them.']
      : []),
    ...section('What to type next:', commandsFor(checked, options)),
  ].join('\n');
}

/** One JSON object. */
export function toJson(checked: Checked, options: CheckOptions): string {
  const { usages, truncated, pricedCharges, unpricedCharges } = checked.usage;
  const inForce = pricesAt(checked.history, checked.now);
  return JSON.stringify({
    status: unpricedCharges > 0n ? 'unpriced' : 'priced',
    priced_charges: Number(pricedCharges),
    unpriced_charges: Number(unpricedCharges),
    truncated,
    usages: usages.map((usage) => {
      const nearest = nearestOf(usage, inForce);
      return {
        provider: shortName(Provider, usage.provider),
        other_provider: usage.otherProvider,
        charge_type: shortName(ChargeType, usage.chargeType),
        model: usage.model,
        service_tier: shortName(ServiceTier, usage.serviceTier || ServiceTier.SERVICE_TIER_STANDARD),
        region: usage.region,
        reason: reasonName(usage),
        kinds: usage.kinds.map(columnOf),
        has_price_now: hasPriceNow(usage, checked.history),
        charges: Number(usage.charges),
        first_usage_time: timeText(usage.firstUsageTime),
        last_usage_time: timeText(usage.lastUsageTime),
        nearest_by_name: nearest ?? null,
      };
    }),
    next: commandsFor(checked, options),
  });
}

function nearestOf(usage: UnpricedUsage, inForce: readonly Price[]): string | undefined {
  // A price without a rate is there: its name is no question.
  if (usage.reason !== UnpricedReason.UNPRICED_REASON_NO_PRICE) return undefined;
  const key = nearestPrice(usage, inForce);
  return key && describeKey(key);
}

function rowOf(usage: UnpricedUsage, history: History, nearest: string | undefined): string[] {
  const kinds = usage.kinds.map(columnOf).join(', ');
  const isThereNow = hasPriceNow(usage, history);
  return [
    group(usage.charges),
    usage.otherProvider || shortName(Provider, usage.provider),
    usage.model || '(none)',
    shortName(ChargeType, usage.chargeType),
    shortName(ServiceTier, usage.serviceTier || ServiceTier.SERVICE_TIER_STANDARD),
    usage.region,
    `${reasonName(usage).replaceAll('_', ' ')}${kinds === '' ? '' : `: ${kinds}`}${isThereNow ? '; there is one now' : ''}`,
    timeText(usage.firstUsageTime),
    timeText(usage.lastUsageTime),
    isThereNow ? '' : (nearest ?? ''),
  ];
}

function reasonName({ reason }: UnpricedUsage): string {
  return shortName(UnpricedReason, reason);
}

/** Commands that find their way from here to a cost for each charge. */
function commandsFor({ usage: { usages }, history }: Checked, options: CheckOptions): string[] {
  const mended = usages.filter(canBeMended);
  const times = mended.flatMap(({ firstUsageTime, lastUsageTime }) => [firstUsageTime, lastUsageTime]);
  const micros = times.flatMap((time) => (time ? [microsOf(time)] : [])).sort((a, b) => (a < b ? -1 : 1));
  const [first, last] = [micros[0], micros.at(-1)];
  if (first === undefined || last === undefined) return [];
  const { server } = options;
  const file = options.csv ?? TEMPLATE;
  const needFile = mended.some((usage) => !hasPriceNow(usage, history));
  const past = changesThePast(usages, history) ? ['--allow-past', '--yes'] : [];
  const range = ['--from', timeText(timestampOf(first)), '--to', timeText(timestampOf(last + 1n))];
  const window = [
    ...(options.from ? ['--from', timeText(options.from)] : []),
    ...(options.to ? ['--to', timeText(options.to)] : []),
  ];
  return [
    ...(needFile && options.csv === undefined
      ? [commandLine(['prices', 'check', ...window, '--csv', file], server)]
      : []),
    ...(needFile ? [commandLine(['prices', 'import', file, ...past], server)] : []),
    commandLine(['prices', 'reprice', ...range, '--dry-run'], server),
    commandLine(['prices', 'reprice', ...range, '--reason', 'prices added', '--yes'], server),
  ];
}

function section(title: string, commands: readonly string[]): string[] {
  if (commands.length === 0) return [];
  return ['', title, ...commands.map((command) => `  ${command}${noteOf(command)}`)];
}

function noteOf(command: string): string {
  return command.includes('prices import')
    ? '   # after you have filled in currency_code and the rates, and deleted the rows without'
    : '';
}
