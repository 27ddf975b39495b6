/** A process that has a port: `holder.ts HOST PORT`, on whatever runtime is under test. Says `on` once it has it. */
import { runtime } from "./runtime_under_test.ts";

const [host = "", port = ""] = runtime.process.args;
runtime.net.listen({ host, port: Number(port) }, () => ({ data() {}, drain() {}, end() {}, close() {} }));
runtime.process.stdout("on");
