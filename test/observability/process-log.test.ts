/** What Node and libraries print becomes lines of the log. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const SRC = fileURLToPath(new URL('../../src/observability', import.meta.url));

test('warnings, the console and errors that nothing handles are JSON, and such an error ends the process', () => {
  const script = `
    import { createLogger } from '${SRC}/logger.ts';
    import { logProcessEvents } from '${SRC}/process-log.ts';
    logProcessEvents(createLogger('info', 'test'));
    console.error('from a %s', 'library');
    for (let i = 0; i < 3; i++) process.emitWarning('deprecated');
    setTimeout(() => Promise.reject(Object.assign(new Error('row values'), { detail: 'Key (id)=(7)' })), 10);
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 50, msg: 'from a library' },
    { level: 40, warning: 'Warning', msg: 'deprecated' },
    { level: 60, origin: 'unhandledRejection', error: { name: 'Error' } },
  ]);
  expect(stdout).not.toContain('row values');
  expect(status).toBe(1);
});
