/** `charge import FILE`: records the usage in a file. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addFlags, readOptions } from './options.ts';
import { runImport } from './run.ts';

/** Adds the subcommand to the program. */
export function addImport(program: Command, run: RunCommand): void {
  const command = program
    .command('import')
    .summary('record the usage in a file')
    .description('Records the usage in a file, each row once, even if the same file is imported again.')
    .argument('[file]', 'a CSV, TSV, NDJSON or JSON file, also .gz or .zst; - reads standard input')
    .usage('[options] <file>')
    // The rules of this command name every fault at once. Commander's own check would end at the first.
    .allowExcessArguments()
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runImport(readOptions(command), interrupt)));
  addFlags(command);
}

const HELP = `
Fields:
  user_profile, session_key, provider, other_provider, charge_type, prompt_tokens, completion_tokens,
  total_tokens, model, reference, usage_time, label.KEY, cache_read_tokens, cache_write_5m_tokens,
  cache_write_1h_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens.
  Without flags, a column fills the field of the same name; case and underscores do not matter. Common names
  in other exports work too: TIMESTAMP, ContextTokens, input_tokens, GeneratedTokens, output_tokens, user,
  session_id and more. --map and --set go first.
  An NDJSON line is an object with these columns or a charge in proto3 JSON. A nested value is a column
  like usage.input_tokens.
  Defaults: user_profile=import, provider=PROVIDER_OTHER with other_provider=unknown,
  charge_type=CHARGE_TYPE_COMPLETION, and model=unknown for completions.
  The import prints what fills each field before it sends the first row.

Files:
  The content tells the format, the separator (comma, semicolon, tab, pipe), the encoding (UTF-8, UTF-16) and
  the compression (gzip, zstd). JSON may be lines, an array, or a document with one array of usage. Titles
  above the header are left out. A row that sums up others, such as "Total", is rejected.

Values:
  Token counts are whole numbers: 1234, 1,234, 1 234, 1234.0 and 1e3 are read. 1.234 is rejected, because it
  could be a fraction. A completion needs its counts: 0 is accepted, an empty cell is not.
  prompt_tokens includes cached tokens, completion_tokens includes reasoning tokens.
  Times are RFC 3339, year-month-day with or without a time (UTC unless an offset follows), dates with the
  month by its English name, or Unix times in seconds, milliseconds, microseconds or nanoseconds. 01/02/2026
  and 01.02.2026 are rejected, because day and month could be exchanged.
  Providers and charge types: PROVIDER_OPENAI, openai or OpenAI; CHARGE_TYPE_TOOL or tool.

Request ids:
  A row has the request id import:<file id>:<line>. The file id is made from the header and the first row.
  The name of the file does not count. So you can import the same file again under any name. If the file has
  grown, only the new rows are added. You can correct a rejected row in place and import the file again. If
  you change a row that is stored, it is rejected, and the reason names the field that differs.
  Do not insert or delete lines between two imports of a file.
  Two files with the same header and the same first row have the same file id. Give each its own
  --source-name: the file id is then made from that name. If you correct the first row, give the file id of
  the earlier import with --file-id.

Rejected rows:
  Row numbers are line numbers as an editor shows them: the header of a CSV file is line 1.
  Each line of the reject file is a JSON object: row, code, reason, violations, request_id, file_id, raw.
  A complete import replaces the reject file of an earlier import of the same file. The reject file of
  another file is kept under a numbered name.

Rows without an answer are sent again until --retry-timeout. This never charges twice.

Exit status:
  0 every row is stored · 1 some rows were rejected · 2 wrong flags or an unusable file, nothing was sent ·
  3 the import gave up, for example because the service is not reachable; run the same command again ·
  130 Ctrl-C, 143 SIGTERM
`;
