/** The compiled binary as a subject: one machine of a real mesh, its HTTP listener and an explicit port as doors. */
import { addressOf } from "../../support/addresses.ts";
import { startMesh } from "../../support/mesh.ts";
import { startBackendAt, tcpSubject } from "./tcp_subject.ts";
import type { Subject } from "./talk.ts";

export interface StartedSubject extends Subject {
  stop(): Promise<void>;
}

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const onePort = 9001;

export async function startHeddleSubject(): Promise<StartedSubject> {
  const place = { host: addressOf(90), port: 8088 };
  const backend = startBackendAt(place);
  const mesh = await startMesh({
    documents,
    machines: [
      {
        name: "vm-a",
        services: [
          { service: "caller", app: "none", calls: { web: onePort } },
          { service: "web", ...place },
        ],
      },
    ],
  });
  const machine = mesh.machine("vm-a");
  const host = machine.address;
  const doors = { all: { host, port: machine.httpPort("caller") }, one: { host, port: onePort } };
  return {
    ...tcpSubject(backend, doors),
    stop: async () => {
      await mesh.stop();
      backend.close();
    },
  };
}
