#!/usr/bin/env node
// Plain JavaScript, so that a Node which is too old for the rest can still say so.

const NEEDED = [24, 0];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `The program needs Node ${NEEDED.join('.')} or newer, and this is Node ${process.versions.node}.\n` +
      'Run it in the checkout with `npx charge` after `npm ci`, which installs its own Node.\n' +
      'If npm did not run the install scripts: `npm install-scripts approve --all`, then `npm rebuild node`.',
  );
  process.exitCode = 2;
} else {
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
