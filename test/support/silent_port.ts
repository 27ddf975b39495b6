/** A port that answers nothing, as behind a firewall: a listener that is stopped, and whose queue is full. */
import { bun } from "../../compile/repository.ts";
import { startProgram, waitFor, type Program } from "./processes.ts";

/** More than any queue of connections that nobody accepts. */
const waitingMax = 700;

export async function silentPort(host: string, port: number, log: string): Promise<Program> {
  const script = `require("node:net").createServer().listen({ host: "${host}", port: ${port}, backlog: 1 }, () => console.log("listens"))`;
  const program = startProgram({ name: "a silent port", command: [bun, "-e", script], log });
  await waitFor("it listens", () => (program.output().includes("listens") ? true : null), { program });
  program.kill("SIGSTOP");
  const handler = { data() {}, error() {}, connectError() {} };
  const fill = Array.from({ length: waitingMax }, () =>
    Bun.connect({ hostname: host, port, socket: handler }).catch(() => null),
  );
  await Promise.race([Promise.all(fill), Bun.sleep(300)]);
  return program;
}
