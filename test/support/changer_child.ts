/** A process that holds the lock at the path that it is told, says so, and goes on for ever. */
import { asOneChanger } from "../../src/systemd/one_changer.ts";
import { runtime } from "./runtime_under_test.ts";

const [path = ""] = runtime.process.args;
await asOneChanger(runtime, path, "hold", async () => {
  runtime.process.stdout("held\n");
  await new Promise<never>(() => setInterval(() => {}, 1_000));
});
