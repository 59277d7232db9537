/** The Huffman code of header strings (RFC 7541, 5.2 and Appendix B). */

import { HpackError } from './hpack-error.ts';

/** Bits of each symbol's code, the last symbol being EOS; codes are handed out by length, then by symbol. */
const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const EOS = 256;
const PADDING_BITS_MAX = 7;

/** What a state and the next four bits lead to: the next state in the low byte, and these above it. */
const SYMBOL_SHIFT = 8;
/** A symbol ends within the four bits; two cannot, because the shortest code has five. */
const ENDS = 1 << 16;
const FAILS = 1 << 17;

/** The inner nodes of the code's tree are the states; the root, where a symbol begins, is state 0. */
const STATES = 256;

/** Two children for each node: another node, or the complement of a symbol. */
function buildTree(): Int16Array {
  const children = new Int16Array(2 * STATES);
  const symbols = [...CODE_BITS.keys()].sort((a, b) => bitsOf(a) - bitsOf(b) || a - b);
  let nodes = 1;
  let code = 0;
  let codeBits = 0;
  for (const symbol of symbols) {
    code <<= bitsOf(symbol) - codeBits;
    codeBits = bitsOf(symbol);
    let place = 0;
    for (let bit = codeBits - 1; bit > 0; bit--) {
      place = 2 * place + ((code >> bit) & 1);
      place = children[place] ||= nodes++;
    }
    children[2 * place + (code & 1)] = ~symbol;
    code++;
  }
  return children;
}

function bitsOf(symbol: number): number {
  return CODE_BITS[symbol] as number;
}

function buildTransitions(tree: Int16Array): Uint32Array {
  const transitions = new Uint32Array(STATES * 16);
  for (let start = 0; start < transitions.length; start++) {
    let node = start >> 4;
    let outcome = 0;
    for (let bit = 3; bit >= 0; bit--) {
      node = tree[2 * node + ((start >> bit) & 1)] as number;
      if (node >= 0) continue;
      outcome = ~node === EOS ? FAILS : ENDS | (~node << SYMBOL_SHIFT);
      node = 0;
    }
    transitions[start] = outcome | node;
  }
  return transitions;
}

/** 1 for each state in which a text may end: nothing but ones since the last symbol, and few of them. */
function buildEnds(tree: Int16Array): Uint8Array {
  const ends = new Uint8Array(STATES);
  let node = 0;
  for (let ones = 0; ones <= PADDING_BITS_MAX; ones++) {
    ends[node] = 1;
    node = tree[2 * node + 1] as number;
  }
  return ends;
}

const TREE = buildTree();
const TRANSITIONS = buildTransitions(TREE);
const MAY_END = buildEnds(TREE);

/** Most texts are decoded in here. */
const scratch = Buffer.allocUnsafeSlow(4096);
const SHORTEST_CODE_BITS = 5;

/** The latin1 text whose code is `block` from `start` to `end`; throws HpackError where it is none. */
export function decodeHuffman(block: Buffer, start: number, end: number): string {
  const lengthMax = Math.floor(((end - start) * 8) / SHORTEST_CODE_BITS);
  const text = lengthMax <= scratch.length ? scratch : Buffer.allocUnsafe(lengthMax);
  let length = 0;
  let state = 0;
  for (let position = start; position < end; position++) {
    const byte = block[position] as number;
    const high = TRANSITIONS[(state << 4) | (byte >> 4)] as number;
    if (high >= ENDS) text[length++] = symbolOf(high);
    const low = TRANSITIONS[((high & 0xff) << 4) | (byte & 15)] as number;
    if (low >= ENDS) text[length++] = symbolOf(low);
    state = low & 0xff;
  }
  if (MAY_END[state] !== 1) throw new HpackError('a Huffman text ends within a symbol');
  return text.toString('latin1', 0, length);
}

function symbolOf(outcome: number): number {
  if (outcome >= FAILS) throw new HpackError('a Huffman text has EOS in it');
  return (outcome >> SYMBOL_SHIFT) & 0xff;
}
