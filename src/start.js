import { isNodeNewEnough } from './node-version.js';

if (isNodeNewEnough('npm start')) await import('./main.ts');
