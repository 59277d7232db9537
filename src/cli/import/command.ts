/** `charge import FILE`: records the usage in a file. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { FIELD_NAMES } from './fields.ts';
import { addFlags, readOptions } from './options.ts';
import { runImport } from './run.ts';

/** Adds the subcommand to the program. */
export function addImport(program: Command, run: RunCommand): void {
  const command = program
    .command('import')
    .summary('record the usage in a file')
    .description('Records the usage in a file, each event once, even if it is exported and imported again.')
    .argument('[file]', 'a CSV, TSV, NDJSON or JSON file, also .gz or .zst; - reads standard input')
    .usage('[options] <file>')
    // The rules of this command name every fault at once. Commander's own check would end at the first.
    .allowExcessArguments()
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runImport(readOptions(command), interrupt)));
  addFlags(command);
}

const FIELDS = [...FIELD_NAMES.map((name) => name.replace('token_details.', '')), 'label.KEY'].join(', ');

const HELP = `
Before anything is sent, the import prints its plan: what fills each field, where the request ids come from, the
first charges and sums, and what is doubtful. On a terminal it asks. Elsewhere it goes on if the plan has no
warning, or with --yes. --dry-run reads the whole file and tells what would happen.

Fields:
  ${FIELDS.replace(/(.{1,100},) /g, '$1\n  ')}
  A column fills the field of the same name; case and marks do not matter. Common names work too. The files of many
  programs are known by their columns. --map goes first, and --map FIELD= says that no column fills the field. --set
  is for rows whose column is empty, or for all if there is no column.

docs/import.md lists the known files, the values that are read, and how request ids are made.

Rejected rows stand in the reject file, with reasons. Correct them in the file and import it again: what is stored
is not charged twice. Each import prints its id: npx charge void --import ID takes back what it recorded.

Exit status:
  0 every row is stored · 1 some rows were rejected · 2 wrong flags, an unusable file, or no agreement: nothing
  was sent · 3 the import gave up, for example because the service is not reachable; run the same command
  again · 130 Ctrl-C, 143 SIGTERM
`;
