/** A child process for the conformance suite: answers on its channel, or prints and leaves, as its argument says. */
import { runtime } from "./runtime_under_test.ts";

const { process } = runtime;

switch (process.args[0]) {
  case "channel": {
    const socket = process.channel({
      data(chunk) {
        socket.write(
          new TextEncoder().encode(
            `${process.env["GREETING"] ?? "nothing"} ${Object.keys(process.env).length} `,
          ),
        );
        socket.write(chunk);
      },
      drain() {},
      end: () => process.exit(7),
      close: () => process.exit(8),
    });
    break;
  }
  case "serve": {
    // On what it is handed, saying who serves; counts in the memory that it was started with.
    const counts = new Int32Array(process.sharedMemory().bytes);
    const channel = process.channel({
      data() {
        runtime.net.adopt(process.handed(), (socket) => {
          Atomics.add(counts, 0, 1);
          socket.write(new TextEncoder().encode(`child ${process.pid}`));
          return { data() {}, drain() {}, end: () => socket.shutdown(), close() {} };
        });
        channel.write(new TextEncoder().encode("serving"));
      },
      drain() {},
      end: () => process.exit(0),
      close: () => process.exit(0),
    });
    break;
  }
  case "time":
    process.stdout(String(runtime.clock.now()));
    process.exit(0);
    break;
  case "print":
    process.stdout("o".repeat(1_000_000));
    process.stderr("problem");
    process.exit(3);
    break;
  case "fault":
    runtime.clock.after(0, () => {
      throw new Error("nobody catches this");
    });
    break;
  case "caught fault":
    process.onFault((error) => {
      process.stdout(`heard ${error instanceof Error ? error.message : "?"}`);
      process.exit(0);
    });
    runtime.clock.after(0, () => {
      throw new Error("of this");
    });
    break;
  case "signal":
    process.onSignal("SIGTERM", () => process.exit(5));
    process.stdout("ready");
    runtime.clock.after(60_000, () => {});
    break;
  default:
    process.exit(64);
}
