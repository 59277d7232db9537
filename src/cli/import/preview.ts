/** What the first rows of a file become. */

import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { RowConverter, type Conversion } from './convert-rows.ts';
import type { Rejection } from './rejects.ts';
import type { Row } from './row.ts';
import type { Unsettled } from './settle-parts.ts';

/** The first rows, converted. */
export interface Preview {
  readonly rows: number;
  readonly requests: readonly CreateChargeRequest[];
  readonly rejections: readonly Rejection[];
  /** Rows that are no usage of their own. */
  readonly leftOut: number;
  readonly unsettled: ReadonlySet<Unsettled>;
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
  /** Charges whose reported cost had more than 9 decimals. */
  readonly roundedCosts: number;
}

/** Converts these rows, the first ones of a file. */
export function previewOf(rows: readonly Row[], conversion: Conversion): Preview {
  const converter = new RowConverter(conversion);
  const requests: CreateChargeRequest[] = [];
  const rejections: Rejection[] = [];
  const unsettled = new Set<Unsettled>();
  let leftOut = 0;
  let roundedCosts = 0;
  for (const row of rows) {
    const converted = converter.convert(row);
    if ('rejection' in converted) rejections.push(converted.rejection);
    else if ('leftOut' in converted) leftOut += 1;
    else {
      requests.push(converted.request);
      if (converted.isCostRounded) roundedCosts += 1;
      for (const part of converted.unsettled) unsettled.add(part);
    }
  }
  const sum = (tokensOf: (request: CreateChargeRequest) => bigint | undefined): bigint =>
    requests.reduce((total, request) => total + (tokensOf(request) ?? 0n), 0n);
  return {
    rows: rows.length,
    requests,
    rejections,
    leftOut,
    unsettled,
    roundedCosts,
    promptTokens: sum(({ charge }) => charge?.promptTokens),
    completionTokens: sum(({ charge }) => charge?.completionTokens),
  };
}
