#!/usr/bin/env node
import { isNodeNewEnough } from '../node-version.js';

if (isNodeNewEnough('npx charge')) {
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
