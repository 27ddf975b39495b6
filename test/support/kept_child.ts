/** A process that a service manager started: it listens at the port that it is told, greets whoever connects, and ends. */
import { KeptListeners } from "../../src/app/kept_listeners.ts";
import { bytesOf } from "./wire.ts";
import { runtime } from "./runtime_under_test.ts";

const kept = new KeptListeners(runtime);
const [port, host = "127.0.0.1"] = runtime.process.args;
kept.listen({ host, port: Number(port) }, (socket) => {
  socket.write(bytesOf("hello from the next one"));
  socket.destroy();
  return { data() {}, drain() {}, end() {}, close: () => runtime.process.exit(0) };
});
