/**
 * Makes calls, to be run by Node: `run_calls.ts <target> <calls as JSON>` one after the other, with `at-once` behind it all of
 * them together. Prints how each ended. The client has no deadline of its own: what ends a call is what it heard.
 */
import * as grpc from "@grpc/grpc-js";
import { TestClient } from "./client.ts";
import type { Question } from "./messages.ts";

export interface PlannedCall {
  readonly authority: string;
  readonly method: string;
  readonly question: Question;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface CallEnd {
  readonly code: number;
  readonly details: string;
  /** Who answered. */
  readonly name: string | null;
  readonly tookMs: number;
}

const [target = "", plan = "[]", how = ""] = process.argv.slice(2);
const clients = new Map<string, TestClient>();

async function make({ authority, method, question, metadata = {} }: PlannedCall): Promise<CallEnd> {
  const client = clients.get(authority) ?? new TestClient(target, authority);
  clients.set(authority, client);
  const fields = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) fields.set(name, value);
  const startedMs = performance.now();
  const { code, details, replies } = await client.unary(method, question, { metadata: fields });
  const tookMs = performance.now() - startedMs;
  return { code, details, name: replies[0]?.name ?? null, tookMs };
}

const ends: Promise<CallEnd>[] = [];
for (const planned of JSON.parse(plan) as PlannedCall[]) {
  const end = make(planned);
  if (how !== "at-once") await end;
  ends.push(end);
}
process.stdout.write(JSON.stringify(await Promise.all(ends)), () => process.exit(0));
