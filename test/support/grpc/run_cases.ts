/** Runs every case against a server, to be run by Node: `run_cases.ts <target> <authority>`. Prints what was wrong, by case. */
import { cases } from "./cases.ts";
import { TestClient } from "./client.ts";

const caseLimitMs = 60_000;
const [target = "", authority = ""] = process.argv.slice(2);
const problems: Record<string, string> = {};
for (const [name, run] of Object.entries(cases)) {
  const client = new TestClient(target, authority);
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error(`not over after ${caseLimitMs} ms`)), caseLimitMs).unref(),
  );
  problems[name] = await Promise.race([run(client), late]).then(
    () => "",
    (error: Error) => error.message,
  );
  client.close();
}
process.stdout.write(JSON.stringify(problems), () => process.exit(0));
