/** Ctrl-C and SIGTERM, for commands that end in order. */

/** Tells whether the process was asked to stop. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Exit status after the signal: 128 plus its number. */
  readonly exitStatus: number;
  /** Ends the listening. */
  stop(): void;
}

const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

/** Starts to listen. The first signal aborts {@link Interrupt.signal}, the second one ends the process. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  const listeners = new Map<string, () => void>();
  const interrupt = {
    signal: controller.signal,
    exitStatus: 0,
    stop: () => listeners.forEach((listener, name) => process.off(name, listener)),
  };
  for (const [name, exitStatus] of Object.entries(EXIT_OF_SIGNAL)) {
    const listener = (): void => {
      // What was sent is stored even if nobody waits for the answers.
      if (controller.signal.aborted) process.exit(interrupt.exitStatus);
      interrupt.exitStatus = exitStatus;
      process.stderr.write(
        '\nStopping: waiting for the answers to what was sent. Press Ctrl-C again to stop at once.\n',
      );
      controller.abort();
    };
    listeners.set(name, listener);
    process.on(name, listener);
  }
  return interrupt;
}
