/** A program that is compiled by the conformance suite: what of the contract could differ inside a binary. */
import { createRuntime } from "../../../runtime/bun/runtime.ts";

const runtime = createRuntime();
const { process, workers } = runtime;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function child(): void {
  const parent = process.channel({
    data(chunk) {
      parent.write(chunk);
    },
    drain() {},
    end: () => process.exit(0),
    close: () => process.exit(1),
  });
}

/** Waits for a line, so that the test can take the file away in between. */
function tellOf(parts: readonly string[]): void {
  const started = process.spawn({
    command: [...process.self, "child"],
    env: {},
    channel: true,
    exited: (code) => {
      process.stdout(`${JSON.stringify([...parts, `child ${code}`, process.env["HOSTILE"] ?? "clean"])}\n`);
      process.exit(0);
    },
  });
  const channel = started.channel({
    data: () => channel.shutdown(),
    drain() {},
    end() {},
    close() {},
  });
  channel.write(bytes("hello"));
}

if (process.args[0] === "child") child();
else {
  const worker = workers.start("src/policy/worker.ts", {
    message: (message) => {
      worker.terminate();
      process.stdout("ready\n");
      const watch = setInterval(() => {
        if (runtime.files.readSync(process.args[0] ?? "") === null) return;
        clearInterval(watch);
        tellOf([String(message)]);
      }, 2);
    },
    ended: (reason) => {
      process.stdout(`${JSON.stringify([reason])}\n`);
      process.exit(1);
    },
  });
  worker.send("hello");
}
