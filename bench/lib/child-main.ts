/** The inside of a program that the bench forks. */

/** What a job did. */
export interface JobResult {
  /** Calls, stream messages or events that were answered OK. */
  readonly ok: number;
  /** Those answered with anything else or not at all. */
  readonly failed: number;
  /** Charges in what was answered OK. */
  readonly rows: number;
  /** From the first call to the last answer. */
  readonly seconds: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** The longest. */
  readonly maxMs?: number;
}

/** What goes from the program to the bench when a job has failed. */
export interface JobError {
  readonly jobError: string;
}

/** Tells the bench that this program is ready. The program ends when the bench ends. */
export function ready(message: object = {}): void {
  // Ctrl-C reaches every process of a terminal; the bench decides what happens then.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => process.exit(0));
  process.on('disconnect', () => process.exit(0));
  process.send?.(message);
}

/** Answers each message of the bench with what `run` returns. */
export function answerJobs<Job>(run: (job: Job) => Promise<JobResult>): void {
  const send = (message: JobResult | JobError): void => void process.send?.(message);
  process.on('message', (job: Job) => {
    run(job).then(send, (error: unknown) =>
      send({ jobError: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  ready();
}
