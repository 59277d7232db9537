/** The text of `--help`. */

export const HELP = `Records the usage in a file through a running Charge Service, each row once, however often it is run.

  npm run import -- FILE [options]        FILE: .csv, .tsv, .ndjson or .jsonl; - reads standard input

Where to
  --address HOST:PORT       the service (default: the environment's LISTEN, or 127.0.0.1:50051), plain text

What the file is
  --format csv|tsv|ndjson   default: by the extension; needed with -
  --delimiter CHAR          between the cells of a CSV file (default: a comma)
  --source-name NAME        names the file yourself (needed with -): see "Request ids"
  --file-id ID              the 16 digits that an earlier import printed: see "Request ids"

Columns
  --map FIELD=COLUMN        this column fills this field; repeatable
  --set FIELD=VALUE         every row has this value; repeatable, goes before guessed columns
  --labels                  columns that fill no field become labels; otherwise they are named and left out
  --other-providers         a provider that the contract does not name becomes PROVIDER_OTHER of that name
  --request-id-column NAME  the file has request ids of its own
  FIELD is user_profile, session_key, provider, other_provider, charge_type, prompt_tokens,
  completion_tokens, total_tokens, model, reference, usage_time, label.KEY, or one of cache_read_tokens,
  cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens.
  Without flags, columns called like a field (case and underscores aside) or like it in common exports
  (TIMESTAMP, ContextTokens, input_tokens, GeneratedTokens, output_tokens, user, session_id …) are taken.
  NDJSON: columns, or charges in proto3 JSON; nested values are columns like usage.input_tokens.
  What neither a column nor --set gives: user_profile=import, provider=PROVIDER_OTHER with
  other_provider=unknown, charge_type=CHARGE_TYPE_COMPLETION, and model=unknown for completions.
  What was decided is printed before the first row is sent.

Values
  Token counts: digits only. A completion needs its counts: an empty cell is refused, 0 is not.
  prompt_tokens includes cached tokens, completion_tokens includes reasoning.
  Times: RFC 3339; YYYY-MM-DD[ HH:MM[:SS[.fraction]]], UTC unless an offset follows; Unix seconds or
  milli-, micro-, nanoseconds.
  Providers and charge types: PROVIDER_OPENAI, openai or OpenAI; CHARGE_TYPE_TOOL or tool.

Request ids
  import:<file id>:<line>. The file id covers the header and the first row, not the name and not the rest.
  So the same file replays under any name, a file that has grown replays its old rows, and a row that was
  rejected can be corrected in place and imported again. A stored row that was changed is refused and the
  difference named. Do not insert or delete lines between two imports of a file.
  Two different files that begin with the same header and the same first row look like one file: give
  each its --source-name, which replaces the file id (same name: same file). When you correct the first
  row itself, keep the identity with --file-id.

Result
  --rejects PATH            where rejected rows go (default: FILE.rejects.ndjson, made only when needed)
  --json                    one JSON object on standard output instead of the summary
  --help                    this text
  Row numbers are line numbers as an editor shows them: the header of a CSV file is line 1.
  The reject file has one JSON object a line: row, code, reason, violations, request_id, file_id, raw. An
  import that ran to its end replaces the reject file of earlier imports of the same file; those of
  other files are kept under a numbered name.

Pace
  --streams N               RecordCharges streams at a time, 1–16 (default 2)
  --window N                rows sent and not answered at most, 1–100000 (default 2000)
  --retry-timeout SECONDS   give up after so long without an answer, 1–86400 (default 60); rows that
                            were not answered are sent again meanwhile, which never charges twice

Exit status: 0 every row is stored · 1 some rows were rejected · 2 wrong flags or an unusable file, nothing
was sent · 3 given up (service not reachable); the same command goes on · 130 Ctrl-C, 143 SIGTERM.
`;
