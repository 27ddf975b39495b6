/**
 * Entry of `npm run conformance`: the raw HTTP/1.1 cases against the compiled binary and against the proxies people know,
 * as a table: heddle case by case, the others by their counts. It goes to HTTP1.md beside this file.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileBinary } from "../../../compile/binary.ts";
import { binaryPath } from "../../../compile/repository.ts";
import { cases } from "./cases.ts";
import { startHeddleSubject } from "./heddle_subject.ts";
import { peerSubjects } from "./peer_subjects.ts";
import { render, type Column } from "./table.ts";
import { talk, whole, type Subject } from "./talk.ts";
import { problemsOf, say } from "./verdict.ts";

export async function runConformance(args: readonly string[]): Promise<number> {
  const unknown = args.filter((each) => each !== "--no-write");
  if (unknown.length > 0) {
    process.stderr.write(`Unknown argument "${unknown[0]}": expected --no-write or nothing\n`);
    return 2;
  }
  if (!existsSync(binaryPath)) await compileBinary({ verbose: true });
  const folder = mkdtempSync(`${tmpdir()}/heddle-conformance-`);
  chmodSync(folder, 0o755);
  try {
    const columns = await measure(folder);
    const text = render(columns);
    process.stdout.write(text);
    if (!args.includes("--no-write")) writeFileSync(`${import.meta.dir}/HTTP1.md`, text);
    const [heddle] = columns;
    return heddle !== undefined && [...heddle.results.values()].every((each) => each.right) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string): Promise<Column[]> {
  const heddle = await startHeddleSubject("near");
  const columns = [await column("heddle", heddle)];
  await heddle.stop();
  for (const peer of peerSubjects) {
    const version = peer.version();
    if (version === null) {
      process.stderr.write(`${peer.name} is not installed: test/bench/install_peers.sh\n`);
      continue;
    }
    const subject = await peer.start(folder);
    columns.push(await column(`${peer.name} ${version}`, subject));
    await subject.stop();
  }
  return columns;
}

async function column(name: string, subject: Subject): Promise<Column> {
  const results: Column["results"] = new Map();
  for (const one of cases) {
    const seen = await talk(subject, one, whole);
    const [problem] = problemsOf(one, seen);
    results.set(one.id, { right: problem === undefined, seen: problem ?? say(seen) });
  }
  return { name, results };
}
