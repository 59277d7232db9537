/** `charge prices …`: everything about prices. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addCheck } from './check/command.ts';
import { addImportFlags, readImportOptions } from './import/options.ts';
import { runPriceImport } from './import/run.ts';
import { addList } from './list.ts';
import { addReprice } from './reprice/command.ts';

/** Adds the group to the program. */
export function addPrices(program: Command, run: RunCommand): void {
  const prices = program
    .command('prices')
    .summary('load prices, list them, and find usage without one')
    .description('Loads prices, lists them, finds usage without one, and prices recorded charges again.');
  const load = prices
    .command('import')
    .summary('add the prices in a file')
    .description(
      "Adds the prices in a file: LiteLLM's catalogue, or a CSV or JSON file of your own. What is in force already is not added again.",
    )
    .argument('[file]', 'a JSON or CSV file; - reads standard input')
    .usage('[options] <file>')
    .allowExcessArguments()
    .addHelpText('after', IMPORT_HELP)
    .action(() => run((interrupt) => runPriceImport(readImportOptions(load), interrupt)));
  addImportFlags(load);
  addList(prices, run);
  addCheck(prices, run);
  addReprice(prices, run);
}

const IMPORT_HELP = `
Files:
  A JSON object is LiteLLM's model_prices_and_context_window.json. A JSON array is charge.v1.Price in proto3 JSON, as
  charge prices list --json prints it. Anything else is CSV. docs/prices.md describes all three.

CSV columns:
  provider, model, currency_code, and one for each kind of usage, such as input, output, cache_read, cache_write_5m,
  request. Tokens: the price of 1,000,000. Everything else: the price of one. An empty cell is no rate, 0 is free.
  Optional: other_provider, charge_type, model_match (exact, prefix), service_tier (standard, batch, flex, priority),
  region, effective_time, above_prompt_tokens, basis (rate_card, alias, reported, withdrawn), alias_model, note.

Before prices in force are changed, it asks. Elsewhere than on a terminal that needs --yes.
Prices are sent 250 at a time, each time all or none. A second run adds nothing.

Exit status:
  0 every price is in force · 1 the service refused some · 2 wrong flags, a wrong file, or no agreement: nothing was
  sent · 3 the service is not reachable · 130 Ctrl-C, 143 SIGTERM
`;
