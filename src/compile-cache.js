import module from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Keeps compiled code in the checkout, beside the programs that were fetched. Loading a server process took 0.45 s of
 * CPU time instead of 0.75 s with it. If the directory cannot be written, everything is compiled at each start.
 */
export function cacheCompiledCode() {
  module.enableCompileCache(fileURLToPath(new URL('../.cache/compiled', import.meta.url)));
}
