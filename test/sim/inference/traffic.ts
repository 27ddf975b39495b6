/**
 * What callers ask language models for, drawn from a seed: conversations and agents whose turns repeat what was said before and add
 * to it, or prompts that share one long beginning. Lengths follow published traces (Azure 2023, Mooncake, agents of 2026), those
 * of agents scaled to an eighth, as the engines here are.
 */
import type { Random } from "../../../runtime/contract.ts";
import { hashNumber } from "../../../src/base/hash.ts";
import { exponential } from "../chance.ts";

/** Tokens of a block of a prompt. */
export const blockTokens = 512;

export interface Ask {
  readonly atMs: number;
  /** Whose proxy chooses. */
  readonly caller: number;
  readonly session: number;
  /** Each stands for the prompt up to its end. */
  readonly blocks: readonly number[];
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface Traffic {
  readonly name: string;
  readonly says: string;
  /** Asks in a second over all callers, at load 1. */
  readonly perSecond: number;
  /** Sessions at a time; each has its own caller. */
  readonly sessions: number;
  /** Turns until a session is over and another one begins. */
  readonly turns: number;
  /** Tokens: of what all sessions share, of the first prompt (median, spread), of what a turn adds, of answers. */
  readonly sharedTokens: number;
  readonly first: readonly [median: number, sigma: number];
  readonly growth: readonly [median: number, sigma: number];
  readonly output: readonly [median: number, sigma: number];
}

export const traffics: readonly Traffic[] = [
  {
    name: "agents",
    says: "coding agents: long prompts, of which a turn repeats nearly all; prefill-bound",
    ...{ perSecond: 3, sessions: 60, turns: 40, sharedTokens: 2_048 },
    ...{ first: [20_000, 0.6], growth: [600, 1], output: [60, 0.6] },
  },
  {
    name: "code",
    says: "code completion: shared beginnings, short answers; prefill-bound",
    ...{ perSecond: 12, sessions: 200, turns: 12, sharedTokens: 512 },
    ...{ first: [6_000, 0.8], growth: [200, 0.8], output: [13, 0.9] },
  },
  {
    name: "chat",
    says: "conversations: short prompts, answers of some hundred tokens; decode-bound",
    ...{ perSecond: 20, sessions: 400, turns: 6, sharedTokens: 512 },
    ...{ first: [600, 0.8], growth: [250, 0.7], output: [129, 0.9] },
  },
];

/** Of a log-normal distribution. */
function around(random: Random, [median, sigma]: readonly [number, number]): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
  return Math.max(1, Math.round(median * Math.exp(sigma * normal)));
}

interface Session {
  readonly id: number;
  readonly caller: number;
  readonly turns: number;
  taken: number;
  tokens: number;
}

/** In the order of time. */
export function asksOf(
  traffic: Traffic,
  { load, seconds, callers, random }: { load: number; seconds: number; callers: number; random: Random },
): Ask[] {
  const asks: Ask[] = [];
  let sessions = 0;
  const begin = (): Session => ({
    id: sessions,
    caller: sessions++ % callers,
    turns: Math.ceil(exponential(random, traffic.turns)),
    taken: 0,
    tokens: traffic.sharedTokens + around(random, traffic.first),
  });
  const open = Array.from({ length: traffic.sessions }, begin);
  for (let atMs = 0; ;) {
    atMs += exponential(random, 1_000 / (traffic.perSecond * load));
    if (atMs > seconds * 1_000) return asks;
    const at = Math.floor(random.unit() * open.length);
    const session = open[at] as Session;
    const outputTokens = around(random, traffic.output);
    const { caller, id, tokens } = session;
    const blocks = blocksOf(id, tokens, traffic.sharedTokens);
    asks.push({ atMs, caller, session: id, blocks, promptTokens: tokens, outputTokens });
    session.tokens += outputTokens + around(random, traffic.growth);
    if (++session.taken >= session.turns) open[at] = begin();
  }
}

function blocksOf(session: number, tokens: number, sharedTokens: number): number[] {
  const shared = Math.floor(sharedTokens / blockTokens);
  return Array.from({ length: Math.floor(tokens / blockTokens) }, (_, at) =>
    hashNumber(at, at < shared ? 77 : 1_000 + session),
  );
}

/** So many times as much of one prompt as an endpoint of the settings can take. */
export function hotPrefix(perSecond: number, seconds: number, callers: number, random: Random): Ask[] {
  const asks: Ask[] = [];
  const promptTokens = 16 * blockTokens;
  const blocks = blocksOf(0, promptTokens, promptTokens);
  for (let atMs = 0; atMs < seconds * 1_000; atMs += exponential(random, 1_000 / perSecond)) {
    const caller = Math.floor(random.unit() * callers);
    asks.push({ atMs, caller, session: asks.length, blocks, promptTokens, outputTokens: 100 });
  }
  return asks;
}
