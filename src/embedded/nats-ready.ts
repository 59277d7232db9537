/** When a nats-server is ready: it has told its port and greets a client with JetStream switched on. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const pollIntervalMs = 10;
const connectTimeoutMs = 2_000;

/** The port of a server that is ready, or why it is not. */
export type Readiness = { port: number } | { reason: string };

/** Waits until the server with this ports file directory is ready, has ended, `timeoutMs` are over, or `signal` is aborted. */
export async function waitUntilNatsReady(
  child: ChildProcess,
  directory: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Readiness> {
  const deadlineMs = performance.now() + timeoutMs;
  let reason = 'it has not said its port yet';
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      return { reason: `it ended with ${String(child.signalCode ?? child.exitCode)}` };
    }
    if (signal?.aborted === true) return { reason: 'it is not wanted any more' };
    const port = readPort(directory, child.pid ?? 0);
    if (port !== undefined) {
      const greeting = await readGreeting(port);
      if (greeting?.jetstream === true) return { port };
      reason = 'it does not serve JetStream yet';
    }
    await delay(pollIntervalMs);
  }
  return { reason: `${reason} after ${String(timeoutMs)} ms` };
}

// nats-server writes `<program>_<pid>.ports` when it accepts connections, also with port -1.
function readPort(directory: string, pid: number): number | undefined {
  const name = readdirSync(directory).find((entry) => entry.endsWith(`_${String(pid)}.ports`));
  if (name === undefined) return undefined;
  try {
    const { nats } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as { nats?: string[] };
    return Number(new URL(nats?.[0] ?? '').port) || undefined;
  } catch {
    return undefined;
  }
}

function readGreeting(port: number): Promise<{ jetstream?: boolean } | undefined> {
  return new Promise((done) => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: connectTimeoutMs });
    let text = '';
    const finish = (greeting?: { jetstream?: boolean }): void => {
      socket.destroy();
      done(greeting);
    };
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\r\n');
      if (end < 0) return;
      try {
        finish(JSON.parse(text.slice(text.indexOf('{'), end)) as { jetstream?: boolean });
      } catch {
        finish();
      }
    });
    for (const event of ['error', 'timeout', 'close'])
      socket.once(event, () => {
        finish();
      });
  });
}
