/** `heddle demo --write DIR`: the demo's documents, machines and policy as files to change. */
import type { Runtime } from "../../../runtime/contract.ts";
import { shippedPolicies } from "../../policy/shipped.ts";
import { UserError } from "../../base/user_error.ts";
import { demoDocuments, demoMachines, machineDocument, outboundPort } from "./topology.ts";

export async function writeDemo(runtime: Runtime, folder: string): Promise<string[]> {
  const { files } = runtime;
  const { called } = runtime.process;
  if ((await files.list(folder)).length > 0)
    throw new UserError(`Cannot write the demo to ${folder}: it is not empty`);
  await files.makeFolder(folder);
  await files.writeAtomic(`${folder}/mesh.yaml`, demoDocuments);
  for (const machine of demoMachines)
    await files.writeAtomic(`${folder}/${machine.name}.yaml`, machineDocument(machine));
  await files.makeFolder(`${folder}/policies`);
  const policy = shippedPolicies.get("header-route");
  if (policy !== undefined) await files.writeAtomic(`${folder}/${policy.file}`, policy.text);
  const services = demoMachines.flatMap((machine) =>
    machine.services.map(
      (each) =>
        `  http_proxy=http://${machine.address}:${outboundPort(machine, each.role)} ${called} demo-service ${each.role} --host ${machine.address} --port ${each.port} --label ${each.version} &`,
    ),
  );
  return [
    `Wrote ${folder}: mesh.yaml, a Machine document for each machine, and policies/header_route.ts`,
    "Run the mesh, and change a file to see it taken over:",
    `  ${called} dev ${folder}`,
    "Its services, each in the background of another terminal:",
    ...services,
    "Then:",
    "  curl http://127.77.0.1:8001/ask?q=hello",
  ];
}
