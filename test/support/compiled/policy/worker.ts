/** The worker of the compiled program: says where it comes from. */
import { createRuntime } from "../../../../runtime/bun/runtime.ts";

const parent = createRuntime().workers.parent((message) => parent.send(`worker ${String(message)}`));
