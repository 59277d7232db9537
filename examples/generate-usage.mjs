/**
 * Writes invented usage as CSV, for a first import:
 *
 *   node examples/generate-usage.mjs 1000 > usage.csv
 *   npx charge import usage.csv
 *
 * Arguments: the number of rows (default 1000) and a seed (default 1). The same arguments always
 * write the same file. Plain JavaScript, so that any Node from 20 on runs it.
 */

import { once } from 'node:events';

const MODELS = [
  {
    provider: 'openai',
    model: 'gpt-4o',
    weight: 30,
    prompt: 900,
    completion: 260,
    cached: 0.4,
    reasoning: 0,
  },
  {
    provider: 'openai',
    model: 'gpt-4o-mini',
    weight: 25,
    prompt: 600,
    completion: 180,
    cached: 0.4,
    reasoning: 0,
  },
  {
    provider: 'openai',
    model: 'o3-mini',
    weight: 10,
    prompt: 700,
    completion: 1500,
    cached: 0.2,
    reasoning: 0.7,
  },
  {
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    weight: 20,
    prompt: 2400,
    completion: 420,
    cached: 0.6,
    reasoning: 0,
  },
  {
    provider: 'gcp.gemini',
    model: 'gemini-2.5-flash',
    weight: 10,
    prompt: 1100,
    completion: 300,
    cached: 0.1,
    reasoning: 0.3,
  },
  {
    provider: 'mistral_ai',
    model: 'mistral-large-latest',
    weight: 5,
    prompt: 800,
    completion: 240,
    cached: 0,
    reasoning: 0,
  },
];
const TEAMS = ['search', 'support', 'growth', 'platform'];
const USERS = 40;
const START_MS = Date.UTC(2025, 0, 6, 8);
const COLUMNS = [
  'usage_time',
  'user_profile',
  'session_key',
  'provider',
  'charge_type',
  'model',
  'prompt_tokens',
  'completion_tokens',
  'cache_read_tokens',
  'reasoning_tokens',
  'reference',
  'label.team',
];

/** A generator of numbers from 0 (inclusive) to 1 (exclusive) that a seed determines (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Yields the lines of the file, the header first. */
export function* usageLines(rows, seed) {
  const random = randomFrom(seed);
  const weights = MODELS.reduce((sum, { weight }) => sum + weight, 0);
  let timeMicros = BigInt(START_MS) * 1000n;
  yield COLUMNS.join(',');
  for (let row = 1; row <= rows; row += 1) {
    timeMicros += BigInt(1 + Math.floor(-Math.log(1 - random()) * 4_000_000));
    // The square makes a few users cause most of the usage, as in reality.
    const user = Math.floor(random() ** 2 * USERS);
    const who = [
      `user-${String(user + 1).padStart(2, '0')}`,
      `session-${user + 1}-${timeMicros / 3_600_000_000n}`,
    ];
    const what = random() < 0.06 ? toolCells(random) : completionCells(random, weights);
    yield [timeOf(timeMicros), ...who, ...what, `resp_${seed}_${row}`, TEAMS[user % TEAMS.length]].join(',');
  }
}

function completionCells(random, weights) {
  let left = random() * weights;
  const model = MODELS.find(({ weight }) => (left -= weight) < 0) ?? MODELS[0];
  const prompt = sizeAround(random, model.prompt);
  const completion = sizeAround(random, model.completion);
  const cached = random() < model.cached ? Math.floor(prompt * random()) : 0;
  const reasoning = Math.floor(completion * model.reasoning * random());
  return [model.provider, 'completion', model.model, prompt, completion, cached, reasoning];
}

function toolCells(random) {
  const [type, name] = random() < 0.5 ? ['tool', 'web-search'] : ['plugin', 'calendar'];
  return ['openai', type, name, 0, 0, 0, 0];
}

/** Most token counts are near `middle`, and a few are ten times as large. */
function sizeAround(random, middle) {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(1, Math.round(middle * Math.exp(0.9 * normal)));
}

function timeOf(micros) {
  const whole = new Date(Number(micros / 1000n)).toISOString().slice(0, -1);
  return `${whole}${String(micros % 1000n).padStart(3, '0')}Z`;
}

async function main([rowsText = '1000', seedText = '1', ...rest]) {
  const [rows, seed] = [Number(rowsText), Number(seedText)];
  if (!Number.isSafeInteger(rows) || rows < 0 || !Number.isSafeInteger(seed) || rest.length > 0) {
    process.stderr.write('usage: node examples/generate-usage.mjs [ROWS] [SEED] > usage.csv\n');
    process.exitCode = 2;
    return;
  }
  process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  for (const line of usageLines(rows, seed)) {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
  }
}

if (import.meta.filename === process.argv[1]) await main(process.argv.slice(2));
