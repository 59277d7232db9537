// Plain JavaScript, so that a Node that is too old for the rest can still say so.

const NEEDED = [24, 0];

/**
 * Whether this Node is new enough. If not, `say` is told so and how to run `command` with the Node of the checkout, and
 * the exit status becomes 2.
 */
export function isNodeNewEnough(command, say = console.error) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return true;
  say(
    `This program needs Node ${NEEDED.join('.')} or newer, and this is Node ${process.versions.node}.\n` +
      `Start it with \`${command}\` after \`npm ci\`, which installs its own Node. If npm did not run the install\n` +
      'scripts: `npm install-scripts approve --all`, then `npm rebuild node`.',
  );
  process.exitCode = 2;
  return false;
}
