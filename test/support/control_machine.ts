/** One more machine of the control plane of a test mesh: a registry, a controller and a proxy as processes of their own. */
import { binaryPath } from "../../compile/repository.ts";
import type { TokenAnswer } from "../../src/api/messages.ts";
import { ports } from "../../src/model/ports.ts";
import type { Mesh } from "./mesh.ts";
import { MeshProcess } from "./mesh_process.ts";
import { accepts, plainEnvironment, runProgram } from "./processes.ts";

export interface ControlMachine {
  readonly state: string;
  readonly registry: MeshProcess;
  readonly controller: MeshProcess;
  readonly proxy: MeshProcess;
  /** Runs the binary as this machine's operator. */
  heddle(...args: string[]): string;
  stop(): Promise<void>;
}

/** Joins by `controller`, an address of one that stands. */
export async function startControlMachine(
  mesh: Mesh,
  name: string,
  address: string,
  controller: string,
): Promise<ControlMachine> {
  const state = `${mesh.folder}/${name}`;
  const made = mesh.heddle("token", "create", "--control-plane", "--output", "json");
  const { token } = JSON.parse(made) as TokenAnswer;
  const at = ["--node", name, "--address", address, "--loopback", address, "--state", state];
  mesh.heddle("join", `${controller}:${ports.controller}`, token, "--control-plane", "--no-start", ...at);
  const mode = (kind: "registry" | "controller" | "proxy", port: number): MeshProcess =>
    new MeshProcess({
      name: `${kind} of ${name}`,
      command: [binaryPath, kind, "--state", state],
      log: `${mesh.folder}/${name}-${kind}.log`,
      ready: () => accepts(address, port),
    });
  const processes = {
    registry: mode("registry", ports.registry),
    controller: mode("controller", ports.controller),
    proxy: mode("proxy", ports.inbound),
  };
  await processes.registry.start();
  await processes.controller.start();
  await processes.proxy.start();
  const env = plainEnvironment({ HEDDLE_STATE: state, NO_COLOR: "1" });
  return {
    state,
    ...processes,
    heddle: (...args) => runProgram([binaryPath, ...args], { env }),
    stop: async () => {
      await Promise.all(Object.values(processes).map((each) => each.stop()));
    },
  };
}
