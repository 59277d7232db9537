import { cacheCompiledCode } from './compile-cache.js';
import { isNodeNewEnough } from './node-version.js';

if (isNodeNewEnough('npm start')) {
  cacheCompiledCode();
  await import('./main.ts');
}
