/** One import of prices, from the file to the report. */

import { ServiceUnavailable } from '../../client.ts';
import { EXIT, UsageError } from '../../command.ts';
import { group, startProgress } from '../../progress.ts';
import { agree, terminalOfProcess } from '../agree.ts';
import { openPriceContract } from '../contract.ts';
import { failed } from '../failure.ts';
import { planPrices, type Addition, type PricePlan } from '../plan.ts';
import { describeKey } from '../price-text.ts';
import { readPriceFile } from '../read-file.ts';
import { CallRefused, PriceApi } from '../service.ts';
import { timeText } from '../time.ts';
import type { ImportOptions } from './options.ts';
import { changesToText, toJson, toText, type Ending } from './report.ts';

/** Prices of one call, which adds all or none. */
const BATCH_SIZE = 250;

/** Imports a file of prices, prints the report and returns the exit status. */
export async function runPriceImport(options: ImportOptions, interrupt: AbortSignal): Promise<number> {
  try {
    return await importFile(options, interrupt);
  } catch (error) {
    if (options.json && error instanceof UsageError)
      process.stdout.write(
        `${JSON.stringify({ status: 'refused', file: options.file, faults: error.faults })}\n`,
      );
    throw error;
  }
}

async function importFile(options: ImportOptions, interrupt: AbortSignal): Promise<number> {
  const catalogue = { ...options, zeroMeansFree: options.zeroMeansFree ?? false };
  const file = await readPriceFile(options.file, catalogue, openPriceContract());
  if (file.prices.length === 0 && options.only !== undefined)
    throw new UsageError([`--only: the file has no price of ${options.only}`]);
  return PriceApi.use(options.address, async (api) => {
    const stored = await api.listAll({ allVersions: true });
    const planned = planPrices(file, stored, {
      effectiveTime: options.effectiveTime,
      allowPast: options.allowPast ?? false,
      replaceOthers: options.replaceOthers ?? false,
      now: BigInt(Date.now()) * 1000n,
    });
    const plan = {
      ...planned,
      gone: planned.gone.filter(({ key }) => key && options.isWanted(key.provider, key.otherProvider)),
    };
    const report = { options, file, plan, created: 0, unchanged: plan.unchanged, error: undefined };
    const print = (text: string): void => void process.stdout.write(`${text}\n`);
    const show = options.json ? toJson : toText;
    refusePast(plan);
    if (options.dryRun) {
      print(show({ ...report, ending: 'dry_run' }));
      return EXIT.ok;
    }
    await askAboutChanges(plan, options, interrupt);
    const sent = await send(api, plan.additions, interrupt);
    print(show({ ...report, ...sent, unchanged: plan.unchanged + sent.unchanged }));
    if (sent.ending === 'imported') return EXIT.ok;
    return sent.ending === 'refused' ? EXIT.rejected : EXIT.failed;
  }).catch((error: unknown) => failed(error, 'Nothing was added.', options.json));
}

/** The service would refuse these, perhaps after it has added others. */
function refusePast({ past }: PricePlan): void {
  if (past.length === 0) return;
  const faults = past.map(({ price, origin, inForce }) => {
    const key = price.key ? describeKey(price.key) : '';
    const since = inForce ? `version ${inForce.version}` : 'other versions';
    return `${origin}: ${key} has ${since}, and ${timeText(price.effectiveTime)} is in the past`;
  });
  throw new UsageError([
    ...faults,
    'if that is intended, --allow-past adds them; recorded charges keep their cost until charge prices reprice',
  ]);
}

async function askAboutChanges(
  plan: PricePlan,
  options: ImportOptions,
  interrupt: AbortSignal,
): Promise<void> {
  const changed = plan.additions.filter(({ inForce }) => inForce).length;
  if (changed === 0 || options.yes) return;
  process.stderr.write(`${changesToText(plan, options.verbose ? Infinity : undefined).join('\n')}\n`);
  await agree(
    `Change ${group(changed)} prices? [y/N] `,
    `${group(changed)} prices in force would change; if that is right, --yes changes them, and --dry-run shows all`,
    options.file === '-' ? undefined : terminalOfProcess(),
    interrupt,
  );
}

interface Sent {
  readonly ending: Ending;
  readonly created: number;
  readonly unchanged: number;
  readonly error: string | undefined;
}

/** Sends batch after batch. After `interrupt` it sends no further one. */
async function send(api: PriceApi, additions: readonly Addition[], interrupt: AbortSignal): Promise<Sent> {
  const counts = { created: 0, unchanged: 0 };
  const progress =
    additions.length > BATCH_SIZE
      ? startProgress(process.stderr, additions.length, {
          toString: () => `${group(counts.created)} price versions`,
        })
      : undefined;
  let start = 0;
  try {
    for (; start < additions.length; start += BATCH_SIZE) {
      if (interrupt.aborted) return { ...counts, ending: 'interrupted', error: undefined };
      const batch = additions.slice(start, start + BATCH_SIZE);
      const responses = await api.createAll(batch.map(({ request }) => request));
      const unchanged = responses.filter((response) => response.unchanged).length;
      counts.unchanged += unchanged;
      counts.created += responses.length - unchanged;
      progress?.update(start + batch.length);
    }
    return { ...counts, ending: 'imported', error: undefined };
  } catch (error) {
    if (error instanceof ServiceUnavailable) return { ...counts, ending: 'aborted', error: error.message };
    if (!(error instanceof CallRefused)) throw error;
    const origin = additions[start + Number(error.error.metadata.get('index') ?? NaN)]?.origin;
    const text = `${origin === undefined ? '' : `${origin}: `}${error.message}`;
    return { ...counts, ending: 'refused', error: text };
  } finally {
    progress?.stop();
  }
}
