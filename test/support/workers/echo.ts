/** A worker for the conformance suite: echoes, throws, leaves, or loops for ever, as it is told. */
import { runtime } from "../runtime_under_test.ts";

const parent = runtime.workers.parent((message) => {
  if (message === "throw") throw new Error("told to throw");
  if (message === "leave") process.exit(0);
  if (message === "loop") {
    parent.send("looping");
    for (;;);
  }
  parent.send({ echo: message });
});
