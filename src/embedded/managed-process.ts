/** A server process of the embedded default, started here or adopted, with one way to stop it and to hear of its end. */
import type { ChildProcess } from 'node:child_process';
import {
  isAlive,
  stopProcess,
  type Logger,
  type ManagedProcess,
  type ProcessExit,
  type StopStep,
} from './process.ts';

const adoptedPollIntervalMs = 500;

/**
 * Wraps a server process. `child` is absent for an adopted one, which is watched by polling every 500 ms.
 * Neither the child nor the polling keeps Node's event loop alive.
 */
export function manageProcess(options: {
  name: string;
  pid: number;
  child?: ChildProcess;
  steps: readonly StopStep[];
  logger: Logger;
}): ManagedProcess {
  const { name, pid, child, steps, logger } = options;
  const callbacks: ((exit: ProcessExit) => void)[] = [];
  let exit: ProcessExit | undefined;
  let stopping: Promise<void> | undefined;
  const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
    if (exit !== undefined) return;
    exit = { expected: stopping !== undefined, code, signal };
    clearInterval(timer);
    for (const callback of callbacks.splice(0)) callback(exit);
  };
  let timer: NodeJS.Timeout | undefined;
  if (child === undefined) {
    timer = setInterval(() => {
      if (!isAlive(pid)) ended(null, null);
    }, adoptedPollIntervalMs).unref();
  } else if (child.exitCode !== null || child.signalCode !== null) {
    ended(child.exitCode, child.signalCode);
  } else {
    child.once('exit', ended);
  }
  const stop = async (): Promise<void> => {
    // A process that ended earlier may have given its id to a stranger.
    if (exit !== undefined) return;
    // Nothing else may keep the event loop running until the exit event arrives.
    child?.ref();
    await stopProcess(name, pid, steps, logger);
    // The event of a child comes a moment later, with the status; an adopted one has none to wait for.
    if (child === undefined) ended(null, null);
    else if (exit === undefined)
      await new Promise<void>((resolve) =>
        callbacks.push(() => {
          resolve();
        }),
      );
  };
  return {
    pid,
    stop: () => (stopping ??= stop()),
    onExit: (callback) => {
      if (exit === undefined) callbacks.push(callback);
      else callback(exit);
    },
  };
}
