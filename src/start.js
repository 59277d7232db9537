// Plain JavaScript, so that a Node too old for the rest can still say so.

const NEEDED = [24, 0];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `The service needs Node ${NEEDED.join('.')} or newer, and this is ${process.versions.node}.\n` +
      'Start it with `npm start` after `npm ci`, which brings its own Node. Where npm holds install\n' +
      'scripts back, approve them first: `npm install-scripts approve --all`, then `npm rebuild node`.',
  );
  process.exitCode = 2;
} else {
  await import('./main.ts');
}
