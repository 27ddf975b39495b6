/** Entry of the binary: chooses the runtime adapter and hands over to the command line. */
import { createRuntime } from "../runtime/bun/runtime.ts";
import { runCommandLine } from "./cli/main.ts";

await runCommandLine(createRuntime());
