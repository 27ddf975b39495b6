/** Inputs made of others: octets, tokens, lines and numbers changed in ways that readers of protocols trip over. */
import { bytesOf } from "../support/wire.ts";
import type { Random } from "./random.ts";

type Mutation = (input: Uint8Array, random: Random, context: MutationContext) => Uint8Array;

export interface MutationContext {
  readonly pool: readonly Uint8Array[];
  readonly words: readonly string[];
  readonly bytesMax: number;
}

const changesMax = 6;
/** Of so many inputs one is changed in more than one way: what is changed much is mostly refused at once. */
const muchChanged = 3;
const edges = [0, 1, 9, 10, 13, 32, 34, 37, 44, 58, 59, 64, 91, 96, 123, 127, 128, 255];
const numbers = [
  ...["0", "00", "-1", "+1", "0x1", "1e3", "9", "10", "15", "16", "255", "256", "65535", "65536"],
  ...[
    "4294967295",
    "4294967296",
    "9007199254740993",
    "999999999999999",
    "1000000000000000",
    "ffffffffffffffff",
  ],
];

export function mutate(context: MutationContext, random: Random): Uint8Array {
  let input = random.one(context.pool);
  const changes = 1 + (random.below(muchChanged) === 0 ? random.below(changesMax) : 0);
  for (let change = 0; change < changes; change++) input = random.one(mutations)(input, random, context);
  return input.length > context.bytesMax ? input.slice(0, context.bytesMax) : input.slice();
}

const mutations: readonly Mutation[] = [
  flipBit,
  setOctet,
  insertOctets,
  insertWord,
  overwriteWord,
  remove,
  duplicate,
  splice,
  truncate,
  replaceNumber,
  moveLine,
  repeatWord,
];

function flipBit(input: Uint8Array, random: Random): Uint8Array {
  const changed = input.slice();
  const at = random.below(changed.length);
  if (changed.length > 0) changed[at] = (changed[at] as number) ^ (1 << random.below(8));
  return changed;
}

function setOctet(input: Uint8Array, random: Random): Uint8Array {
  const changed = input.slice();
  if (changed.length > 0) changed[random.below(changed.length)] = octet(random);
  return changed;
}

function octet(random: Random): number {
  return random.below(2) === 0 ? random.one(edges) : random.below(256);
}

function replaced(input: Uint8Array, at: number, cut: number, put: Uint8Array): Uint8Array {
  const end = Math.min(input.length, at + cut);
  const made = new Uint8Array(input.length - (end - at) + put.length);
  made.set(input.subarray(0, at));
  made.set(put, at);
  made.set(input.subarray(end), at + put.length);
  return made;
}

function insertOctets(input: Uint8Array, random: Random): Uint8Array {
  const put = Uint8Array.from({ length: 1 + random.below(8) }, () => octet(random));
  return replaced(input, random.below(input.length + 1), 0, put);
}

function insertWord(input: Uint8Array, random: Random, { words }: MutationContext): Uint8Array {
  return replaced(input, random.below(input.length + 1), 0, bytesOf(random.one(words)));
}

function overwriteWord(input: Uint8Array, random: Random, { words }: MutationContext): Uint8Array {
  const word = bytesOf(random.one(words));
  return replaced(input, random.below(input.length + 1), word.length, word);
}

function repeatWord(input: Uint8Array, random: Random, { words }: MutationContext): Uint8Array {
  const times = random.below(8) === 0 ? 1 + random.below(200) : 1 + random.below(6);
  return replaced(input, random.below(input.length + 1), 0, bytesOf(random.one(words).repeat(times)));
}

function remove(input: Uint8Array, random: Random): Uint8Array {
  return replaced(input, random.below(input.length + 1), 1 + random.below(16), new Uint8Array(0));
}

function duplicate(input: Uint8Array, random: Random): Uint8Array {
  const from = random.below(input.length + 1);
  const piece = input.slice(from, from + 1 + random.below(64));
  return replaced(input, random.below(input.length + 1), 0, piece);
}

function splice(input: Uint8Array, random: Random, { pool }: MutationContext): Uint8Array {
  const other = random.one(pool);
  const from = random.below(other.length + 1);
  return replaced(input, random.below(input.length + 1), input.length, other.slice(from));
}

function truncate(input: Uint8Array, random: Random): Uint8Array {
  return input.slice(0, random.below(input.length + 1));
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function replaceNumber(input: Uint8Array, random: Random): Uint8Array {
  const from = random.below(input.length + 1);
  let at = from;
  while (at < input.length && !isDigit(input[at])) at++;
  if (at === input.length) return input;
  let end = at;
  while (isDigit(input[end])) end++;
  return replaced(input, at, end - at, bytesOf(random.one(numbers)));
}

/** Takes a line out and puts it before another one. */
function moveLine(input: Uint8Array, random: Random): Uint8Array {
  const starts = [0];
  for (let at = 0; at < input.length; at++) if (input[at] === 10) starts.push(at + 1);
  const index = random.below(starts.length);
  const from = starts[index] as number;
  const line = input.slice(from, starts[index + 1] ?? input.length);
  const without = random.below(3) === 0 ? input : replaced(input, from, line.length, new Uint8Array(0));
  return replaced(without, Math.min(random.one(starts), without.length), 0, line);
}
