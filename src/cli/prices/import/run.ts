/** One import of prices, from the file to the report. */

import { PriceServiceService } from '../../../../generated/charge/v1/price_service.ts';
import { ServiceUnavailable } from '../../client.ts';
import { EXIT, UsageError } from '../../command.ts';
import { agree, terminalOf } from '../../confirm.ts';
import { openContract } from '../../contract.ts';
import { listPrices } from '../../lists.ts';
import { group, startProgress } from '../../progress.ts';
import { Refused, withSession, type Session } from '../../session.ts';
import { timeText } from '../../time.ts';
import { planPrices, type Addition, type PricePlan } from '../plan.ts';
import type { PriceFile } from '../price-file.ts';
import { describeKey } from '../price-text.ts';
import { readPriceFile } from '../read-file.ts';
import type { ImportOptions } from './options.ts';
import { changesToText, toJson, toText, type Ending } from './report.ts';

/** Prices of one call, which adds all or none. */
const BATCH_SIZE = 250;

/** Imports a file of prices, prints the report and returns the exit status. */
export async function runPriceImport(options: ImportOptions, interrupt: AbortSignal): Promise<number> {
  const catalogue = { ...options, zeroMeansFree: options.zeroMeansFree ?? false };
  const file = await readPriceFile(options.file, catalogue, openContract());
  if (file.prices.length === 0) throw new UsageError([noPrice(options, file)]);
  return withSession(options, interrupt, async (session) => {
    const stored = await listPrices(session, {});
    const planned = planPrices(file, stored, {
      effectiveTime: options.effectiveTime,
      allowPast: options.allowPast ?? false,
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
    const sent = await send(session, plan.additions);
    print(show({ ...report, ...sent, unchanged: plan.unchanged + sent.unchanged }));
    if (sent.ending === 'imported') return EXIT.ok;
    return sent.ending === 'refused' ? EXIT.rejected : EXIT.failed;
  });
}

/** A file without a price is another file than the one that was meant. */
function noPrice({ file, only }: ImportOptions, { format }: PriceFile): string {
  if (only !== undefined) return `--only: the file has no price of ${only}`;
  const isCatalogue = format === 'litellm';
  return `${file} has no price${isCatalogue ? ": a JSON object is read as LiteLLM's catalogue; put prices of your own into an array" : ''}`;
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
  process.stderr.write(`${changesToText(plan).join('\n')}\n`);
  const terminal = options.file === '-' ? null : terminalOf();
  await agree(`Change ${group(changed)} prices?`, false, interrupt, terminal, [
    `${group(changed)} prices in force would change; if that is right, --yes changes them, and --dry-run --json shows all`,
  ]);
}

interface Sent {
  readonly ending: Ending;
  readonly created: number;
  readonly unchanged: number;
  readonly error: string | undefined;
}

/** Sends batch after batch. After `interrupt` it sends no further one. */
async function send(session: Session, additions: readonly Addition[]): Promise<Sent> {
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
      if (session.interrupt.aborted) return { ...counts, ending: 'interrupted', error: undefined };
      const batch = additions.slice(start, start + BATCH_SIZE);
      const requests = batch.map(({ request }) => request);
      const { responses } = await session.call(PriceServiceService.batchCreatePrices, { requests });
      const unchanged = responses.filter((response) => response.unchanged).length;
      counts.unchanged += unchanged;
      counts.created += responses.length - unchanged;
      progress?.update(start + batch.length);
    }
    return { ...counts, ending: 'imported', error: undefined };
  } catch (error) {
    if (session.interrupt.aborted) return { ...counts, ending: 'interrupted', error: undefined };
    if (error instanceof ServiceUnavailable) return { ...counts, ending: 'aborted', error: error.message };
    if (!(error instanceof Refused)) throw error;
    const origin = additions[start + Number(error.error.metadata.get('index') ?? NaN)]?.origin;
    const text = `${origin === undefined ? '' : `${origin}: `}${error.message}`;
    return { ...counts, ending: 'refused', error: text };
  } finally {
    progress?.stop();
  }
}
