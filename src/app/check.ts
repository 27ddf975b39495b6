/**
 * `heddle check`: the facts that this machine's membership rests on, each looked at for itself. Codes are stable, so that
 * they can be searched for.
 */
import { socketAddress } from "../base/socket_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths } from "../api/messages.ts";
import { ControlRefusal } from "../api/control.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";
import type { MachineDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { controllerAsNode } from "./controller_link.ts";
import { readMachine } from "./machine_document.ts";
import { readPolicies } from "./check_policies.ts";
import { listeningSockets } from "./listening_sockets.ts";
import { plainGet } from "./plain_get.ts";
import { adminPort, readSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface Finding {
  readonly code: string;
  readonly title: string;
  readonly result: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; null when it is well. */
  readonly cure: string | null;
}

export async function checkMachine(runtime: Runtime, folder: StateFolder): Promise<Finding[]> {
  const findings: Finding[] = [];
  const settings = await readSettings(runtime.files, folder);
  if (settings === null) {
    return [
      fail(
        "HED0001",
        "membership",
        `${folder.path} holds none`,
        "heddle init on the first machine, heddle join on the others; another folder: --state DIR",
      ),
    ];
  }
  findings.push(
    ok("HED0001", "membership", `${settings.node} of ${settings.trustDomain}, state in ${folder.path}`),
  );
  findings.push(await checkState(runtime, folder));
  const machine = await readMachineOrNull(runtime, folder, findings);
  const store = new CredentialStore(runtime.files, folder.credentials);
  await store.load(machine?.services.map((each) => each.service) ?? []);
  findings.push(...checkCertificates(runtime, store, machine));
  findings.push(...(await checkController(runtime, settings, store)));
  findings.push(await checkProxy(runtime, settings));
  findings.push(...(await checkPolicies(runtime, settings)));
  if (machine !== null) findings.push(...(await checkApps(runtime, machine, settings.loopback)));
  return findings;
}

const ok = (code: string, title: string, detail = ""): Finding => ({
  code,
  title,
  result: "ok",
  detail,
  cure: null,
});
const warn = (code: string, title: string, detail: string, cure: string): Finding => ({
  code,
  title,
  result: "warn",
  detail,
  cure,
});
const fail = (code: string, title: string, detail: string, cure: string): Finding => ({
  code,
  title,
  result: "fail",
  detail,
  cure,
});

async function checkState(runtime: Runtime, folder: StateFolder): Promise<Finding> {
  const stat = await runtime.files.stat(folder.path);
  if (stat === null || (stat.mode & 0o077) === 0)
    return ok("HED0002", "secrets are readable by their owner alone");
  return fail(
    "HED0002",
    "secrets are readable by others",
    `mode ${(stat.mode & 0o777).toString(8)} of ${folder.path}`,
    `chmod 700 ${folder.path}`,
  );
}

async function readMachineOrNull(
  runtime: Runtime,
  folder: StateFolder,
  findings: Finding[],
): Promise<MachineDocument | null> {
  const bytes = await runtime.files.read(folder.machine);
  try {
    const machine =
      bytes === null ? null : readMachine({ file: folder.machine, text: new TextDecoder().decode(bytes) });
    if (machine === null)
      findings.push(
        fail("HED0003", "Machine document", `${folder.machine} is missing`, "Join again, or restore it"),
      );
    else findings.push(ok("HED0003", "Machine document", counted(machine.services.length, "service")));
    return machine;
  } catch (error) {
    findings.push(fail("HED0003", "Machine document", (error as Error).message, `Mend ${folder.machine}`));
    return null;
  }
}

function checkCertificates(
  runtime: Runtime,
  store: CredentialStore,
  machine: MachineDocument | null,
): Finding[] {
  const nowMs = runtime.clock.wallMs();
  const wanted: readonly (readonly [
    string,
    { readonly notAfterMs: number; readonly issuedMs: number } | null,
  ])[] = [
    ["the machine", store.node],
    ...(machine?.services ?? []).map(
      (each) => [serviceKey(each.service), store.service(serviceKey(each.service))] as const,
    ),
  ];
  return wanted.map(([name, credential]) => {
    if (credential === null)
      return fail(
        "HED0004",
        `certificate of ${name}`,
        "there is none",
        "Start the proxy and let it renew; if it was added later: heddle node allow on the controller's machine",
      );
    const leftMs = credential.notAfterMs - nowMs;
    const hours = (leftMs / 3_600_000).toFixed(1);
    if (leftMs < 0)
      return fail(
        "HED0004",
        `certificate of ${name}`,
        `ended ${hours.slice(1)} h ago`,
        "The proxy renews it as soon as it reaches the controller; see HED0005",
      );
    const late = leftMs < (credential.notAfterMs - credential.issuedMs) * 0.2;
    return late
      ? warn(
          "HED0004",
          `certificate of ${name}`,
          `${hours} h left, renewal is late`,
          "See HED0005; the proxy's log names the reason",
        )
      : ok("HED0004", `certificate of ${name}`, `${hours} h left`);
  });
}

async function checkController(
  runtime: Runtime,
  settings: Settings,
  store: CredentialStore,
): Promise<Finding[]> {
  const address = socketAddress(settings.controller.host, settings.controller.port);
  const control = controllerAsNode(runtime, settings, store);
  try {
    const beforeMs = runtime.clock.wallMs();
    const answer = (
      await control.call("POST", controllerPaths.reach, {
        address: settings.address,
        port: settings.ports.inbound,
      })
    ).body as { ok: boolean; detail: string; controllerMs: number };
    const skewMs = Math.abs(answer.controllerMs - (beforeMs + runtime.clock.wallMs()) / 2);
    return [
      ok("HED0005", "controller", `answers at ${address}`),
      skewMs > limits.clockSkewWarnMs
        ? warn(
            "HED0006",
            "clock",
            `differs from the controller's by ${Math.round(skewMs / 1000)} s`,
            "Turn time synchronisation on (systemd-timesyncd or chrony)",
          )
        : ok("HED0006", "clock", `within ${(skewMs / 1000).toFixed(1)} s of the controller's`),
      answer.ok
        ? ok("HED0007", "inbound port", answer.detail)
        : fail(
            "HED0007",
            "inbound port",
            answer.detail,
            `Open TCP port ${settings.ports.inbound} of this machine for the others, and see that heddle proxy runs`,
          ),
    ];
  } catch (error) {
    if (error instanceof ControlRefusal) return [refused(error)];
    return [
      warn(
        "HED0005",
        "controller",
        (error as Error).message,
        "Traffic goes on without it; is `heddle controller` running, and its port open?",
      ),
    ];
  } finally {
    control.close();
  }
}

/** The controller is there, and says no. */
function refused(refusal: ControlRefusal): Finding {
  const { error, hint = "heddle status on the controller's machine shows how it sees this one" } =
    refusal.problem;
  return fail("HED0005", "controller", error, hint);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

async function checkProxy(runtime: Runtime, settings: Settings): Promise<Finding> {
  const port = adminPort(settings, "proxy");
  try {
    const answer = await plainGet(runtime, settings.loopback, port, "/ready");
    if (answer.status === 200) return ok("HED0008", "proxy", "is ready");
    const lines = answer.text.trim().split("\n");
    const waiting = lines.filter((line) => line.startsWith("waiting")).map((line) => line.slice(8));
    return fail("HED0008", "proxy", `waits for ${waiting.join(", ")}`, "Its log says why");
  } catch {
    const address = socketAddress(settings.loopback, port);
    return fail("HED0008", "proxy", `does not answer at ${address}`, "Start it: heddle proxy");
  }
}

/** Nothing where no proxy answers or none has policies. */
async function checkPolicies(runtime: Runtime, settings: Settings): Promise<Finding[]> {
  const found = await readPolicies(runtime, settings.loopback, adminPort(settings, "proxy"));
  if (found === null || found.count === 0) return [];
  if (found.aside.length === 0) return [ok("HED0010", "policies", counted(found.count, "version"))];
  return found.aside.map(({ name, detail }) =>
    warn("HED0010", `policy ${name}`, detail, "Mend it and apply again; it is tried now and then meanwhile"),
  );
}

/** An app that listens beyond loopback can be called without mTLS and without Access rules. */
async function checkApps(runtime: Runtime, machine: MachineDocument, loopback: string): Promise<Finding[]> {
  const listening = await listeningSockets(runtime.files);
  return machine.services.map((each) => {
    const name = serviceKey(each.service);
    const own = listening.filter((socket) => socket.port === each.port);
    if (own.length === 0)
      return fail(
        "HED0009",
        `app of ${name}`,
        `nothing listens on port ${each.port}`,
        "Start the app, or mend its port in the Machine document",
      );
    const outside = own.find((socket) => !socket.loopback);
    if (outside === undefined)
      return ok("HED0009", `app of ${name}`, `listens on loopback port ${each.port}`);
    return warn(
      "HED0009",
      `app of ${name}`,
      `listens on ${socketAddress(outside.address, each.port)}, so it can be called without mTLS and Access rules`,
      `Let the app listen on ${each.host.startsWith("127.") ? each.host : loopback} alone`,
    );
  });
}
