/** Compares the file of an archive with what the service has. */

import type {
  ChargeServiceClient,
  ExportChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { UsageError } from '../command.ts';
import { itemsOf } from '../export/item.ts';
import { exportedCharges, type SourceOptions } from '../export/charge-source.ts';
import { ndjsonFormat } from '../export/ndjson.ts';
import { microsOf, timestampOf, timeText } from '../time.ts';
import { compare, readPages, type FileCharge } from './archive-file.ts';
import { UsageDays } from './usage-days.ts';

/** What the comparison found. */
export class Comparison {
  /** Charges of the file that the service has, with all that the file says of them. */
  same = 0;
  /** Charges of the file that the service does not have: they were archived before, or it will refuse them. */
  onlyInFile = 0;
  /** Charges that the service has, and the file has not: they stay. */
  missing = 0;
  /** Ids of charges that are different now, the first few. */
  readonly changed: string[] = [];
  /** Of the charges that are the same. */
  readonly days = new UsageDays();
  /** Of each page of the file, as it was compared. 10 million charges have 20,000. */
  readonly checksums: string[] = [];

  addSame({ usageTime }: FileCharge): void {
    this.same++;
    this.days.add(usageTime);
  }

  /** For the progress display. */
  toString(): string {
    return `compared ${(this.same + this.onlyInFile).toLocaleString('en-US')} charges`;
  }
}

const CHANGED_SHOWN_MAX = 5;
const FORMAT = ndjsonFormat();

/**
 * Reads both once, in the same order, and keeps nothing. `compared` is called now and then. `request` asks for usage
 * before a moment. Throws a {@link UsageError} if the file has other usage, with which nothing would be compared.
 */
export async function compareWithService(
  path: string,
  client: ChargeServiceClient,
  request: ExportChargesRequest,
  options: SourceOptions,
  result: Comparison,
  compared: () => void,
): Promise<void> {
  const file = usageBefore(request.filter?.endTime, path, result.checksums);
  let line = await next(file);
  for await (const charge of serviceCharges(client, request, options, compared)) {
    for (; line && compare(line, charge) < 0; line = await next(file)) result.onlyInFile++;
    if (!line || compare(line, charge) > 0) {
      result.missing++;
      continue;
    }
    if (line.text === charge.text) result.addSame(line);
    else if (result.changed.length < CHANGED_SHOWN_MAX) result.changed.push(line.id);
    line = await next(file);
  }
  for (; line; line = await next(file)) result.onlyInFile++;
}

/** The charges of the file, which must all have an earlier usage time. */
async function* usageBefore(
  end: Timestamp | undefined,
  path: string,
  checksums: string[],
): AsyncGenerator<FileCharge> {
  let number = 0;
  for await (const { charges, checksum } of readPages(path)) {
    checksums.push(checksum);
    for (const charge of charges) {
      number++;
      if (end && charge.usageTime >= microsOf(end)) {
        const usage = timeText(timestampOf(charge.usageTime));
        throw new UsageError([
          `${path}: line ${number} has usage of ${usage}, which is not before ${timeText(end)}. ` +
            'Use the --before with which the file was written, or name another file',
        ]);
      }
      yield charge;
    }
  }
}

/** The charges as the lines that an export writes. `compared` is called now and then. */
export async function* serviceCharges(
  client: ChargeServiceClient,
  request: ExportChargesRequest,
  options: SourceOptions,
  compared: () => void,
): AsyncGenerator<FileCharge> {
  for await (const { charges } of exportedCharges(client, request, options)) {
    for (const item of itemsOf(charges)) {
      const { id, usageTime } = item.charge;
      const text = FORMAT.lines([item]).slice(0, -1);
      yield { id, usageTime: usageTime ? microsOf(usageTime) : 0n, text };
    }
    compared();
  }
}

async function next(file: AsyncGenerator<FileCharge>): Promise<FileCharge | undefined> {
  const result = await file.next();
  return result.done ? undefined : result.value;
}
