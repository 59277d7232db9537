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
    .description('Records the usage in a file, each event once, even if it is exported and imported again.')
    .argument('[file]', 'a CSV, TSV, NDJSON or JSON file, also .gz or .zst; - reads standard input')
    .usage('[options] <file>')
    // The rules of this command name every fault at once. Commander's own check would end at the first.
    .allowExcessArguments()
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runImport(readOptions(command), interrupt)));
  addFlags(command);
}

const HELP = `
Before anything is sent, the import prints its plan: what fills each field, where the request ids come from, the
first charges and sums, and what is doubtful. On a terminal it asks. Elsewhere it goes on if the plan has no
warning, or with --yes. --dry-run reads the whole file and tells what would happen; it asks the service for
each request id, one call a row.

Files of Claude Code, Codex, Cursor, ccusage, Anthropic, OpenAI, AWS Bedrock, Gemini, LiteLLM, Langfuse,
Helicone, OpenRouter and OpenTelemetry, and the traces of Azure, BurstGPT and Mooncake are known by their columns.
docs/import.md has the table.

Fields:
  user_profile, session_key, provider, other_provider, charge_type, prompt_tokens, completion_tokens,
  total_tokens, model, reference, usage_time, label.KEY, cache_read_tokens, cache_write_5m_tokens,
  cache_write_1h_tokens, cache_write_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens,
  image_input_tokens, image_output_tokens, service_tier, region, reported_cost, reported_currency,
  call_outcome, search_queries, input_images, output_images, input_milliseconds, output_milliseconds,
  input_seconds, output_seconds, input_characters, output_characters.
  In other files, a column fills the field of the same name; case and marks do not matter. Common names work
  too: TIMESTAMP, input_tokens, output_tokens, user, session_id and more. --map goes first, and --map FIELD= says
  that no column fills the field. --set is for rows whose column is empty, or for all if there is no column.
  An NDJSON line is an object with these columns or a charge in proto3 JSON. A nested value is a column
  like usage.input_tokens.
  Defaults: user_profile=import, provider=PROVIDER_OTHER with other_provider=unknown, and
  charge_type=CHARGE_TYPE_COMPLETION. Counts, model and time are never made up.

Files:
  The content tells the format, the separator (comma, semicolon, tab, pipe), the encoding (UTF-8, UTF-16) and
  the compression (gzip, zstd). JSON may be lines, an array, or a document with one array of usage. Titles
  above the header are left out. A row that sums up others, such as "Total", is rejected.

Values:
  Token counts are whole numbers: 1234, 1,234, 1 234, 1234.0 and 1e3 are read. 1.234 is rejected, because it
  could be a fraction.
  prompt_tokens includes cached tokens, completion_tokens includes reasoning tokens. If a file counts them
  apart, they are added; the total of the row decides, or the layout, or you: --map prompt_tokens=A+B.
  Times are RFC 3339, year-month-day with or without a time (UTC unless an offset follows), dates with the
  month by its English name, or Unix times in seconds, milliseconds, microseconds or nanoseconds. 01/02/2026
  and 01.02.2026 are rejected, because day and month could be exchanged.
  Providers and charge types: PROVIDER_OPENAI, openai or OpenAI; CHARGE_TYPE_TOOL or tool. Service tiers:
  standard, batch, flex, priority. Outcomes of calls: succeeded, interrupted, failed.
  reported_cost is what the provider or a router said, in units of reported_currency (USD if nothing says
  another one). More than 9 decimals are rounded to billionths, a half to the even neighbour.

Request ids:
  A column with an id for each event is used if no two different rows share one. Otherwise the id of a row
  is made from its time, user, model and counts, and its number among rows in which these are equal. So a file that is
  exported again, in another order, with more rows or columns, adds only what is new. The name of the
  file, the place of a row, labels and --set do not count. A row whose other fields differ from those of its
  stored charge is rejected, and the reason names the field. Stored charges never change.
  Each import has an id, which is printed: npx charge void --import ID takes back what it recorded. Voided
  charges keep their request ids, so --request-id-prefix again: records their rows again.

Rejected rows:
  Row numbers are line numbers as an editor shows them: the header of a CSV file is line 1.
  Each line of the reject file is a JSON object: row, code, reason, violations, request_id, file_id, raw.
  Correct them in the file and import it again: what is stored is not charged twice.
  A complete import replaces the reject file of an earlier import of the same file. The reject file of
  another file is kept under a numbered name.

Rows without an answer are sent again until --retry-timeout. This never charges twice.

Exit status:
  0 every row is stored · 1 some rows were rejected · 2 wrong flags, an unusable file, or no agreement: nothing
  was sent · 3 the import gave up, for example because the service is not reachable; run the same command
  again · 130 Ctrl-C, 143 SIGTERM
`;
