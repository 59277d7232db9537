/** Programs that the bench runs in processes of their own. */

import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { JobError, JobResult } from './child-main.ts';

const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

const execFileAsync = promisify(execFile);

/** A forked program that answers jobs. `Ready` is its first message. */
export interface Child<Job, Ready = object> {
  readonly pid: number;
  readonly ready: Ready;
  /** Sends a job and resolves with its result; rejects if the job fails or the program ends. */
  ask(job: Job): Promise<JobResult>;
  stop(): Promise<void>;
}

/** Forks a program, named from the folder `bench`, and waits for its first message. */
export async function forkChild<Job extends object, Ready = object>(
  name: string,
  args: readonly string[] = [],
): Promise<Child<Job, Ready>> {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const child = fork(file, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ready = await nextMessage<Ready>(child, name);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  return {
    pid,
    ready,
    ask: (job) => {
      const answer = nextMessage<JobResult>(child, name);
      child.send(job);
      return answer;
    },
    stop: () => stopChild(child),
  };
}

/** Runs a program to its end, and returns what it wrote to standard output. */
export async function runProgram(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const { stdout } = await execFileAsync(command, [...args], {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
}

/** Ends a process that we started: SIGTERM, then SIGKILL after `timeoutMs`. */
export async function stopChild(child: ChildProcess, timeoutMs = STOP_TIMEOUT_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await exited;
  clearTimeout(timer);
}

function nextMessage<Message>(child: ChildProcess, name: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Message | JobError): void => {
      child.off('exit', onExit);
      if (isJobError(message)) reject(new Error(`${name}: ${message.jobError}`));
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

function isJobError(message: unknown): message is JobError {
  return typeof message === 'object' && message !== null && 'jobError' in message;
}
