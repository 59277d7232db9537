#!/usr/bin/env node
import { cacheCompiledCode } from '../compile-cache.js';
import { isNodeNewEnough } from '../node-version.js';

if (isNodeNewEnough('npx charge')) {
  cacheCompiledCode();
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
