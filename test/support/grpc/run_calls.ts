/**
 * Makes calls one after the other, to be run by Node: `run_calls.ts <target> <calls as JSON>`. Prints how each ended. The
 * client has no deadline of its own: what ends a call is what it heard.
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

const [target = "", plan = "[]"] = process.argv.slice(2);
const clients = new Map<string, TestClient>();
const ends: CallEnd[] = [];
for (const { authority, method, question, metadata = {} } of JSON.parse(plan) as PlannedCall[]) {
  const client = clients.get(authority) ?? new TestClient(target, authority);
  clients.set(authority, client);
  const fields = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) fields.set(name, value);
  const startedMs = performance.now();
  const { code, details, replies } = await client.unary(method, question, { metadata: fields });
  const tookMs = performance.now() - startedMs;
  ends.push({ code, details, name: replies[0]?.name ?? null, tookMs });
}
process.stdout.write(JSON.stringify(ends), () => process.exit(0));
