#!/usr/bin/env node
import { cacheCompiledCode } from '../compile-cache.js';
import { isNodeNewEnough } from '../node-version.js';

if (isNodeNewEnough('npx charge')) {
  cacheCompiledCode();
  // Whoever read the output has gone, as in `charge import … | head`. The work goes on.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
