/** What FOCUS calls the kinds of usage: the meter, its unit, and the token properties that are drafted for FOCUS 1.5. */

import { UsageKind } from '../../../../generated/charge/v1/money.ts';

/** How a kind of usage is measured and priced. */
export interface Meter {
  /** `SkuMeter`. */
  readonly name: string;
  /** `ConsumedUnit`. */
  readonly unit: string;
  /** How many of what the service counts are one unit: 10 to this power. FOCUS has seconds, and no milliseconds. */
  readonly power: number;
  /** `TokenDirection`. Undefined: the meter counts no tokens. */
  readonly direction?: 'Input' | 'Output';
  /** `TokenCacheAction`. Undefined: nothing of the kind is cached. */
  readonly cacheAction?: 'Uncached' | 'Read' | 'Write';
}

function input(name: string, cacheAction: NonNullable<Meter['cacheAction']>): Meter {
  return { name, unit: 'Tokens', power: 0, direction: 'Input', cacheAction };
}

function output(name: string): Meter {
  return { name, unit: 'Tokens', power: 0, direction: 'Output' };
}

function units(name: string, unit: string, power = 0): Meter {
  return { name, unit, power };
}

const METERS: Readonly<Partial<Record<UsageKind, Meter>>> = {
  [UsageKind.USAGE_KIND_INPUT]: input('Input Tokens', 'Uncached'),
  [UsageKind.USAGE_KIND_OUTPUT]: output('Output Tokens'),
  [UsageKind.USAGE_KIND_CACHE_READ]: input('Cache Read Input Tokens', 'Read'),
  [UsageKind.USAGE_KIND_CACHE_WRITE_5M]: input('Cache Write Input Tokens', 'Write'),
  [UsageKind.USAGE_KIND_CACHE_WRITE_1H]: input('1 Hour Cache Write Input Tokens', 'Write'),
  [UsageKind.USAGE_KIND_REASONING]: output('Reasoning Output Tokens'),
  [UsageKind.USAGE_KIND_AUDIO_INPUT]: input('Audio Input Tokens', 'Uncached'),
  [UsageKind.USAGE_KIND_AUDIO_OUTPUT]: output('Audio Output Tokens'),
  [UsageKind.USAGE_KIND_REQUEST]: units('Requests', 'Requests'),
  [UsageKind.USAGE_KIND_IMAGE_TOKEN_INPUT]: input('Image Input Tokens', 'Uncached'),
  [UsageKind.USAGE_KIND_IMAGE_TOKEN_OUTPUT]: output('Image Output Tokens'),
  [UsageKind.USAGE_KIND_SEARCH_QUERY]: units('Search Queries', 'Queries'),
  [UsageKind.USAGE_KIND_INPUT_IMAGE]: units('Images In', 'Images'),
  [UsageKind.USAGE_KIND_OUTPUT_IMAGE]: units('Images Out', 'Images'),
  [UsageKind.USAGE_KIND_INPUT_MILLISECOND]: units('Seconds In', 'Seconds', 3),
  [UsageKind.USAGE_KIND_OUTPUT_MILLISECOND]: units('Seconds Out', 'Seconds', 3),
  [UsageKind.USAGE_KIND_INPUT_CHARACTER]: units('Characters In', 'Characters'),
  [UsageKind.USAGE_KIND_OUTPUT_CHARACTER]: units('Characters Out', 'Characters'),
};

/** The meter of a kind. Throws an Error for a kind that this program does not know. */
export function meterOf(kind: UsageKind): Meter {
  const meter = METERS[kind];
  if (!meter) throw new Error(`usage kind ${kind} has no meter: this program is older than the service`);
  return meter;
}
