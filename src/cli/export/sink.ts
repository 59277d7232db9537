/** Where the bytes of an export go. */

/** The file cannot be written, for example because the disk is full. Exit status 3. */
export class WriteFailed extends Error {
  override name = 'WriteFailed';
}

/** Whoever read standard output has gone, as in `charge export | head`. */
export class ReaderGone extends Error {
  override name = 'ReaderGone';
}

/** How far a file is written. */
export interface Place {
  /** The token that goes on after what is written; empty: from the start. */
  readonly resumeToken: string;
  readonly charges: number;
  readonly bytes: number;
}

export const START: Place = { resumeToken: '', charges: 0, bytes: 0 };

/** Takes the bytes in order. Every function rejects with {@link WriteFailed} or {@link ReaderGone}. */
export interface Sink {
  /** Where an earlier run has stopped. */
  readonly start: Place;
  write(bytes: string | Uint8Array): Promise<void>;
  /** Tells the place after what was written. A later run goes on there, or shortly before it. */
  reached(place: Place): Promise<void>;
  /** Everything is written. */
  finish(): Promise<void>;
  /** Ends without the rest. `place`: where a later run can go on. Never rejects. */
  close(): Promise<void>;
}

/** Runs what writes `name`, and turns the errors of the system into {@link WriteFailed}. */
export async function writing<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') throw new ReaderGone(name, { cause: error });
    if (code === undefined) throw error;
    throw new WriteFailed(`cannot write ${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** Standard output, which cannot go on later. */
export function standardOutput(): Sink {
  const write = (bytes: string | Uint8Array): Promise<void> =>
    writing(
      'standard output',
      () =>
        new Promise((resolve, reject) => {
          process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
        }),
    );
  const nothing = (): Promise<void> => Promise.resolve();
  return { start: START, write, reached: nothing, finish: nothing, close: nothing };
}
