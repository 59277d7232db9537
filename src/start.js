import { cacheCompiledCode } from './compile-cache.js';
import { isNodeNewEnough } from './node-version.js';

/** Off a terminal everything that the service writes is JSON. */
const say = (text) =>
  console.error(process.stderr.isTTY ? text : JSON.stringify({ level: 60, time: Date.now(), msg: text }));

if (isNodeNewEnough('npm start', say)) {
  cacheCompiledCode();
  await import('./main.ts');
}
