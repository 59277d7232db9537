#!/usr/bin/env node
import { cacheCompiledCode } from '../compile-cache.js';
import { isNodeNewEnough } from '../node-version.js';

if (isNodeNewEnough('npx charge')) {
  cacheCompiledCode();
  // grpc-js names the server in TLS even if that is an address, and Node would warn of it.
  process.noDeprecation = true;
  // Whoever read the output has gone, as in `charge import … | head`. The work goes on.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
