/** The end of `charge prices import`, for people and for programs. */

import { commandLine } from '../../command-line.ts';
import { type Server } from '../../connection.ts';
import { atLeastOne, countLines, type Count } from '../../counts.ts';
import { group } from '../../progress.ts';
import type { Collision, NamesByReason, PriceFile } from '../price-file.ts';
import type { Addition, PricePlan } from '../plan.ts';
import { basisText, describeKey } from '../price-text.ts';
import { timeText } from '../../time.ts';
import type { ImportOptions } from './options.ts';

/** How an import ended. `refused`: the service refused a batch. After each of the last three, run it again. */
export type Ending = 'imported' | 'dry_run' | 'refused' | 'aborted' | 'interrupted';

/** Everything that the report tells. */
export interface Report {
  readonly options: ImportOptions;
  readonly file: PriceFile;
  readonly plan: PricePlan;
  readonly ending: Ending;
  /** Versions that were added. */
  readonly created: number;
  /** Prices that were added or found the same by the service while this import ran. */
  readonly unchanged: number;
  readonly error: string | undefined;
}

const HEADS: Readonly<Record<Ending, string>> = {
  imported: 'Imported',
  dry_run: 'Dry run, nothing was added:',
  refused: 'Imported in part:',
  aborted: 'Gave up on',
  interrupted: 'Stopped',
};

const SHOWN_NAMES = 3;
const SHOWN_LINES = 20;
/** Of what needs no decision. */
const SHOWN_NOTES = 5;

/** The report as lines of text. */
export function toText({ options, file, plan, ending, created, unchanged, error }: Report): string {
  const { notes } = file;
  const isNew = plan.additions.filter(({ inForce }) => !inForce).length;
  const leftOut = [...notes.leftOut.values()].reduce((sum, names) => sum + names.length, 0);
  const counts: Count[] = [
    ['entries', file.entries],
    ['new', isNew],
    ['changed', plan.additions.length - isNew],
    ['unchanged', unchanged, 'the same price is in force'],
    ...(ending === 'dry_run' ? [] : [['created', created, 'price versions'] as const]),
    ...(file.format === 'litellm'
      ? ([
          ['same again', notes.sameAgain.length, 'the same price for the same model under another name'],
          ['conflicts', notes.conflicts.length, 'another price for the same model'],
          ['left out', leftOut],
        ] as const)
      : []),
    ...atLeastOne('kept', plan.kept.length, 'the price in force is your own; it stays'),
  ];
  return [
    `${HEADS[ending]} ${options.file}`,
    ...countLines(counts, 12),
    ...section('Left out', namesOf(notes.leftOut), Infinity),
    ...section('Prices that no usage kind stands for', namesOf(notes.ignored), SHOWN_NOTES),
    ...section('Conflicts', notes.conflicts.map(conflictText)),
    ...section(
      'Tiers with rates of the base, because they state none',
      notes.copied.map(copiedText),
      SHOWN_NOTES,
    ),
    ...section('New, for every model without a price of its own', anyModel(plan)),
    ...section('Rounded', notes.rounded.map(roundedText)),
    ...section('Kept', plan.kept.map(changeText)),
    ...changesToText(plan),
    ...section(
      'In force and not in this file (they stay in force)',
      plan.gone.map(({ key }) => (key ? describeKey(key) : '')),
    ),
    ...(error === undefined ? [] : [error]),
    ...nextStep(ending, created, options.server),
  ].join('\n');
}

function nextStep(ending: Ending, created: number, server: Server): string[] {
  if (ending === 'refused') return ['Correct the file, and import it again: nothing is added twice.'];
  if (ending !== 'imported' && ending !== 'dry_run')
    return ['To go on, run the same command again: nothing is added twice.'];
  if (created === 0) return [];
  const check = commandLine(['prices', 'check'], server);
  return [`Charges that are recorded keep their cost. What has none, and how to price it: ${check}`];
}

/** What would change, with the old and the new rates. */
export function changesToText({ additions }: PricePlan): string[] {
  return section('Changed', additions.filter(({ inForce }) => inForce).map(changeText));
}

/** The report as one JSON object. */
export function toJson({ options, file, plan, ending, created, unchanged, error }: Report): string {
  const { notes } = file;
  const changes = plan.additions.filter(({ inForce }) => inForce);
  return JSON.stringify({
    status: ending,
    file: options.file,
    address: options.server.address,
    format: file.format,
    entries: file.entries,
    created,
    new: plan.additions.length - changes.length,
    changed: changes.length,
    unchanged,
    same_again: notes.sameAgain.length,
    conflicts: notes.conflicts.length,
    skipped: Object.fromEntries([...notes.leftOut].map(([reason, names]) => [reason, names.length])),
    skipped_entries: Object.fromEntries(notes.leftOut),
    ignored_fields: Object.fromEntries(notes.ignored),
    conflict_entries: notes.conflicts,
    copied_rates: notes.copied.map(({ entry, abovePromptTokens, kinds }) => ({
      entry,
      above_prompt_tokens: String(abovePromptTokens),
      kinds,
    })),
    rounded_values: notes.rounded.map(({ origin, field, text, nanosPerMillion }) => ({
      origin,
      field,
      text,
      nanos_per_million: String(nanosPerMillion),
    })),
    additions: plan.additions.map(({ price, origin, inForce }) => ({
      key: price.key ? describeKey(price.key) : '',
      origin,
      effective_time: price.effectiveTime ? timeText(price.effectiveTime) : null,
      old: inForce ? basisText(inForce) : null,
      old_version: inForce ? String(inForce.version) : null,
      new: basisText(price),
    })),
    kept: plan.kept.map(({ price, inForce }) => ({
      key: price.key ? describeKey(price.key) : '',
      in_force: inForce ? basisText(inForce) : null,
      in_file: basisText(price),
    })),
    not_in_file: plan.gone.map(({ key, version }) => ({
      key: key ? describeKey(key) : '',
      version: String(version),
    })),
    error: error ?? null,
  });
}

function section(title: string, lines: readonly string[], shown = SHOWN_LINES): string[] {
  if (lines.length === 0) return [];
  const rest = lines.length - shown;
  return [
    `${title}:`,
    ...lines.slice(0, shown).map((line) => `  ${line}`),
    ...(rest > 0 ? [`  and ${group(rest)} more; --json shows all`] : []),
  ];
}

function namesOf(reasons: NamesByReason): string[] {
  return [...reasons].map(([reason, names]) => {
    const first = names.slice(0, SHOWN_NAMES);
    const rest = names.length - first.length;
    return `${reason}: ${group(names.length)} (${first.join(', ')}${rest > 0 ? `, and ${group(rest)} more` : ''})`;
  });
}

function changeText({ price, inForce }: Addition): string {
  const key = price.key ? describeKey(price.key) : '';
  return `${key}: ${inForce ? basisText(inForce) : 'nothing'} → ${basisText(price)}`;
}

/** In a table of one's own, a model that was forgotten looks like this. */
function anyModel({ additions }: PricePlan): string[] {
  const found = additions.filter(({ price, inForce }) => !inForce && price.key?.model === '');
  return found.map(({ price, origin }) => `${origin}: ${price.key ? describeKey(price.key) : ''}`);
}

function conflictText({ entry, kept, key }: Collision): string {
  return `${key}: ${kept} is imported, ${entry} says something else`;
}

function copiedText({ entry, abovePromptTokens, kinds }: PriceFile['notes']['copied'][number]): string {
  return `${entry}, above ${group(abovePromptTokens)} prompt tokens: ${kinds.join(', ')}`;
}

function roundedText({
  origin,
  field,
  text,
  nanosPerMillion,
}: PriceFile['notes']['rounded'][number]): string {
  return `${origin}, ${field}: ${text} has more digits than a rate; it is ${nanosPerMillion} nanos per million`;
}
