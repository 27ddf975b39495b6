/**
 * `heddle check`: the facts that this machine's membership rests on, each looked at for itself. Codes are stable, so that
 * they can be searched for.
 */
import type { FileError, Runtime } from "../../runtime/contract.ts";
import { humanDuration } from "../base/duration.ts";
import { problemInLine } from "../base/result.ts";
import { socketAddress } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { CredentialStore, type Credential } from "../identity/credential_store.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { checkApps } from "./check_apps.ts";
import { checkNames } from "./check_names.ts";
import { checkClosed, checkInterception, checkUnits } from "./check_units.ts";
import { curesOf, type Cures } from "./check_cures.ts";
import { checkFirewall } from "./check_firewall.ts";
import { checkGateways } from "./check_gateways.ts";
import { checkHost } from "./check_host.ts";
import { checkLinks } from "./check_links.ts";
import { checkSettingsClosed } from "./check_settings.ts";
import { counted, fail, ok, warn, type Finding } from "./finding.ts";
import { readMachine } from "./machine_document.ts";
import { plainGet } from "./plain_get.ts";
import { readProxyPage, type ProxyPage } from "./proxy_page.ts";
import { adminPort, readSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export async function checkMachine(runtime: Runtime, folder: StateFolder): Promise<Finding[]> {
  const findings: Finding[] = [];
  const settings = await readSettings(runtime, folder);
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
  const cures = await curesOf(runtime);
  findings.push(...(await checkState(runtime, folder, cures)), ...(await checkHost(runtime, folder)));
  const machine = await readMachineOrNull(runtime, folder, findings);
  const store = new CredentialStore(runtime.files, folder.credentials);
  findings.push(...(await checkCertificates(runtime, store, machine, cures)));
  findings.push(...(await checkLinks(runtime, settings, store, cures)));
  findings.push(...(await checkClosed(runtime, settings)));
  findings.push(...(await checkSettingsClosed(runtime, folder, settings)));
  findings.push(...(await checkFirewall(runtime, settings)));
  findings.push(await checkProxy(runtime, settings, cures));
  const page = await readProxyPage(runtime, settings.loopback, adminPort(settings, "proxy"));
  if (page !== null) findings.push(...checkPolicies(page));
  if (page !== null) findings.push(...checkDrained(page, settings.node));
  if (page !== null) findings.push(...(await checkNames(runtime.files, page)));
  if (page !== null) findings.push(...(await checkGateways(runtime, page)));
  if (page !== null) findings.push(...checkRead(page, folder, settings, machine, cures));
  if (machine !== null) findings.push(...(await checkApps(runtime, machine, folder, page?.apps ?? [])));
  if (machine !== null) findings.push(...(await checkUnits(runtime, machine)));
  if (machine !== null) findings.push(...(await checkInterception(runtime, machine)));
  return findings;
}

async function checkState(runtime: Runtime, folder: StateFolder, cures: Cures): Promise<Finding[]> {
  const stat = await runtime.files.stat(folder.path);
  const shared =
    stat === null || (stat.mode & 0o077) === 0
      ? ok("HED0002", "secrets are readable by their owner alone")
      : fail(
          "HED0002",
          "secrets are readable by others",
          `mode ${(stat.mode & 0o777).toString(8)} of ${folder.path}`,
          `chmod 700 ${folder.path}`,
        );
  return [shared, await checkWritable(runtime, folder, cures)];
}

/** Certificates and snapshots that cannot be kept are lost with the next start. */
async function checkWritable({ files }: Runtime, folder: StateFolder, cures: Cures): Promise<Finding> {
  const probe = `${folder.path}/check.probe`;
  try {
    await files.writeAtomic(probe, "x".repeat(probeBytes), 0o600);
    await files.remove(probe);
    return ok("HED0012", "state folder", "can be written");
  } catch (error) {
    const { message, code } = error as FileError;
    const cure =
      code === "ENOSPC" || code === "EDQUOT"
        ? "Make room on its file system: what is renewed cannot be kept until then"
        : `Mount its file system for writing and start the proxy again (${cures.restart("proxy")}), or run as the user who owns the folder`;
    return fail("HED0012", "state folder", message, cure);
  }
}

/** About as long as what is written there. */
const probeBytes = 16_384;

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
    else findings.push(ok("HED0003", "Machine document", counted(ownServices(machine).length, "service")));
    return machine;
  } catch (error) {
    findings.push(fail("HED0003", "Machine document", problemInLine(error), `Mend ${folder.machine}`));
    return null;
  }
}

async function checkCertificates(
  runtime: Runtime,
  store: CredentialStore,
  machine: MachineDocument | null,
  cures: Cures,
): Promise<Finding[]> {
  try {
    await store.load(machine === null ? [] : ownServices(machine));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [fail("HED0004", "certificates", error.message, error.hint ?? "Restore it")];
  }
  const nowMs = runtime.clock.wallMs();
  const wanted: readonly (readonly [string, Credential | null])[] = [
    ["the machine", store.node],
    ...(machine === null ? [] : ownServices(machine)).map(
      (service) => [serviceKey(service), store.service(serviceKey(service))] as const,
    ),
  ];
  return wanted.map(([name, credential]) =>
    checkCertificate(`certificate of ${name}`, credential, nowMs, cures),
  );
}

function checkCertificate(
  title: string,
  credential: Credential | null,
  nowMs: number,
  cures: Cures,
): Finding {
  if (credential === null)
    return fail(
      "HED0004",
      title,
      "there is none",
      `Start the proxy and let it renew (${cures.start("proxy")}); if it was added later: heddle node allow on the controller's machine`,
    );
  const { notAfterMs, issuedMs } = credential;
  const leftMs = notAfterMs - nowMs;
  const left = humanDuration(leftMs);
  if (leftMs < 0)
    return fail(
      "HED0004",
      title,
      `ended ${left} ago`,
      "The proxy renews it as soon as it reaches the controller (HED0005, HED0006); after a long absence join again with a new token",
    );
  return leftMs < (notAfterMs - issuedMs) * 0.2
    ? warn(
        "HED0004",
        title,
        `${left} left, renewal is late`,
        `See HED0005; the proxy's log names the reason: ${cures.log("proxy")}`,
      )
    : ok("HED0004", title, `${left} left`);
}

async function checkProxy(runtime: Runtime, settings: Settings, cures: Cures): Promise<Finding> {
  const port = adminPort(settings, "proxy");
  try {
    const answer = await plainGet(runtime, settings.loopback, port, "/ready");
    if (answer.status === 200) return ok("HED0008", "proxy", "is ready");
    const lines = answer.text.trim().split("\n");
    const waiting = lines.filter((line) => line.startsWith("waiting")).map((line) => line.slice(8));
    return fail(
      "HED0008",
      "proxy",
      `waits for ${waiting.join(", ")}`,
      `Its log says why: ${cures.log("proxy")}`,
    );
  } catch {
    const address = socketAddress(settings.loopback, port);
    return fail("HED0008", "proxy", `does not answer at ${address}`, `Start it: ${cures.start("proxy")}`);
  }
}

/** Both files are read when the proxy starts. */
function checkRead(
  page: ProxyPage,
  folder: StateFolder,
  settings: Settings,
  machine: MachineDocument | null,
  cures: Cures,
): Finding[] {
  const stale = (code: "HED0001" | "HED0003", title: string, path: string, cure: string): Finding =>
    warn(code, title, `${path} is another one than the proxy that runs has read`, cure);
  return [
    ...(isSame(page.settings, settings)
      ? []
      : [
          stale(
            "HED0001",
            "membership",
            folder.settings,
            `The proxy reads it when it starts: ${cures.restart("proxy")}`,
          ),
        ]),
    ...(machine === null || isSame(page.machine, machine)
      ? []
      : [stale("HED0003", "Machine document", folder.machine, readWhenTold)]),
  ];
}

const readWhenTold =
  "The proxy takes it over when it is told to: systemctl reload heddle-proxy, or SIGHUP to it";

/** `read` is undefined where a proxy does not tell. */
function isSame(read: unknown, file: unknown): boolean {
  return read === undefined || JSON.stringify(read) === JSON.stringify(file);
}

/** Nothing is said where nothing is. */
function checkDrained({ drained = [] }: ProxyPage, node: string): Finding[] {
  return drained.map((key) =>
    warn(
      "HED0017",
      `calls to ${key}`,
      "an operator drained it here, so nobody calls it",
      `heddle undrain ${key}@${node}, or ${node} if the whole machine is drained, by an operator`,
    ),
  );
}

function checkPolicies({ policies }: ProxyPage): Finding[] {
  if (policies.length === 0) return [];
  const failing = policies.filter(({ detail }) => detail !== "");
  if (failing.length === 0) return [ok("HED0010", "policies", counted(policies.length, "version"))];
  return failing.map(({ name, state, detail }) =>
    warn(
      "HED0010",
      `policy ${name}`,
      detail,
      state === "ready" || state === "waiting"
        ? "Mend it and apply again; `policies` in the access log has each call that failed"
        : "Mend it and apply again; it is tried now and then meanwhile",
    ),
  );
}
