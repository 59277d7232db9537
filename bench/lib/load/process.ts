/** The load process: does one job after another that the bench sends. */

import { answerJobs, type JobResult } from '../child-main.ts';
import type { Job } from './jobs.ts';
import { runUnary } from './unary.ts';

async function run(job: Job): Promise<JobResult> {
  switch (job.kind) {
    case 'unary':
      return runUnary(job);
    case 'record':
      return (await import('./record.ts')).runRecord(job);
    case 'call-and-row':
      return (await import('../../peers/single-row.ts')).runCallAndRow(job);
  }
}

answerJobs(run);
