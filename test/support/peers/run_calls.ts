/** Makes the calls that its input lists as JSON, to be run by Node: `run_calls.ts <version> <host> <port> <authority>`. Prints the answers. */
import { readFileSync } from "node:fs";
import { connect, type Answer, type Request, type Version } from "./calls.ts";

const [version = "", host = "", port = "", authority = ""] = process.argv.slice(2);
const caller = connect(version as Version, host, Number(port), authority);
const answers: (Answer | string)[] = [];
for (const request of JSON.parse(readFileSync(0, "utf8")) as Request[])
  answers.push(await caller.call(request).catch((error: Error) => error.message));
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
