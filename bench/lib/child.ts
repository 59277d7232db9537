/** Node programs of the bench in processes of their own. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 15_000;

/** A program that was forked and talks over the channel. */
export interface Child {
  readonly pid: number;
  /** Sends a message and resolves with the next answer; rejects on `{type: 'error'}` or exit. */
  ask<Answer>(message: object): Promise<Answer>;
  stop(): Promise<void>;
}

interface ErrorMessage {
  readonly type: 'error';
  readonly message: string;
}

/** Forks a program and waits for its first message, which must have type `ready`; `ready` is that message. */
export async function forkChild<Ready>(
  file: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<Child & { readonly ready: Ready }> {
  const child = fork(file, [...args], {
    execArgv: [...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const name = file.split('/').slice(-2).join('/');
  const ready = await nextMessage<Ready>(child, name);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  return {
    pid,
    ready,
    ask: <Answer>(message: object) => {
      const answer = nextMessage<Answer>(child, name);
      child.send(message);
      return answer;
    },
    stop: () => stopChild(child),
  };
}

/** Starts any program whose end the bench waits for, with its output collected. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly timeoutMs: number;
    readonly started?: (pid: number) => void;
  },
): Promise<string> {
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    env: options.env ?? process.env,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  if (child.pid !== undefined) options.started?.(child.pid);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${command} ended with ${code ?? 'a signal'}: ${errors.slice(-2000)}`);
    return output;
  } finally {
    process.off('exit', kill);
  }
}

/** Ends a process that we started: SIGTERM, and SIGKILL when that takes too long. */
export async function stopChild(child: ChildProcess, timeoutMs = STOP_TIMEOUT_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const stopping = new AbortController();
  await Promise.race([
    exited,
    delay(timeoutMs, undefined, { signal: stopping.signal }).catch(() => undefined),
  ]);
  stopping.abort();
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await exited;
}

function nextMessage<Message>(child: ChildProcess, name: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Message | ErrorMessage): void => {
      child.off('exit', onExit);
      if (isError(message)) reject(new Error(`${name}: ${message.message}`));
      else resolve(message);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      child.off('message', onMessage);
      reject(new Error(`${name} ended with ${code ?? signal ?? '?'}`));
    };
    child.once('message', onMessage);
    child.once('exit', onExit);
  });
}

function isError(message: unknown): message is ErrorMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'error';
}
