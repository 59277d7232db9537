/** The flags of `charge prices import` and their rules. */

import type { Command } from 'commander';
import { type Provider } from '../../../../generated/charge/v1/charge.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { throwFaults } from '../../command.ts';
import { addConnectionFlags, readServer, type Server } from '../../connection.ts';
import { readProvider } from '../litellm/models.ts';
import { SEARCH_SIZES, type SearchSize } from '../litellm/price-fields.ts';
import { readTime } from '../../time.ts';

/** What commander reads as it is. */
interface Flags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly zeroMeansFree?: boolean;
  readonly allowPast?: boolean;
  /** Names of providers, for messages. */
  readonly only?: string;
}

/** What one import is to do. */
export interface ImportOptions extends Flags {
  /** Path of the file; `-`: standard input. */
  readonly file: string;
  readonly server: Server;
  /** When changed prices come into force. Undefined: now. */
  readonly effectiveTime: Timestamp | undefined;
  readonly searchSize: SearchSize;
  readonly isWanted: (provider: Provider, otherProvider: string) => boolean;
}

type RawFlags = Flags & Record<'searchSize', string> & Partial<Record<'effectiveTime', string>>;

/** Declares the flags. */
export function addImportFlags(command: Command): void {
  command
    .option('--only <providers>', 'only prices of these providers (A,B): openai, PROVIDER_OPENAI, openrouter')
    .option(
      '--effective-time <time>',
      'when changed prices come into force (default: now); the first price of a key prices all usage before it, too',
    )
    .option(
      '--allow-past',
      'let changed prices come into force in the past; recorded charges keep their cost',
    )
    .option('--dry-run', 'add nothing, and show the difference to what is in force')
    .option('--yes', 'change prices without asking')
    .option('--json', 'print one JSON object with all names, instead of the report')
    .optionsGroup('LiteLLM:')
    .option('--zero-means-free', 'a model whose prices are all 0 is free (default: it has no price)')
    .option('--search-size <size>', `which price of a web search: ${SEARCH_SIZES.join(', ')}`, 'medium');
  addConnectionFlags(command);
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readImportOptions(command: Command): ImportOptions {
  const flags = command.opts<RawFlags>();
  const faults: string[] = [];
  const [file = ''] = command.args;
  if (command.args.length !== 1) faults.push(`one FILE is needed, ${command.args.length} are given`);
  const searchSize = SEARCH_SIZES.find((size) => size === flags.searchSize);
  if (!searchSize) faults.push(`--search-size: ${flags.searchSize} is not ${SEARCH_SIZES.join(', ')}`);
  const options: ImportOptions = {
    ...flags,
    file,
    server: readServer(command, faults),
    effectiveTime: readTime('--effective-time', flags.effectiveTime, faults),
    searchSize: searchSize ?? 'medium',
    isWanted: readOnly(flags.only, faults),
  };
  throwFaults(faults);
  return options;
}

function readOnly(text: string | undefined, faults: string[]): ImportOptions['isWanted'] {
  if (text === undefined) return () => true;
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) faults.push(`--only: expected providers with commas between them, not ${text}`);
  const wanted = names.map(readProvider);
  return (provider, otherProvider) =>
    wanted.some((one) => one.provider === provider && one.name === otherProvider);
}
