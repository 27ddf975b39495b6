/** The compiled binary as a subject: a machine of a real mesh, its HTTP listener and an explicit port as doors. */
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
{kind: Service, name: web, port: 80, protocol: http, interim: forward}
`;
const onePort = 9001;

/** `near`: the backend is on the caller's machine, one hop; `far`: on another one, two proxies and mTLS between. */
export async function startHeddleSubject(where: "near" | "far"): Promise<StartedSubject> {
  const place = { host: addressOf(where === "near" ? 90 : 93), port: 8088 };
  const backend = startBackendAt(place);
  const caller = { service: "caller", app: "none", calls: { web: onePort } } as const;
  const web = { service: "web", ...place };
  const mesh = await startMesh({
    documents,
    machines:
      where === "near"
        ? [{ name: "vm-a", services: [caller, web] }]
        : [
            { name: "vm-a", services: [caller] },
            { name: "vm-b", services: [web] },
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
