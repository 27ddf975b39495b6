/** The facts about this machine's way to the controller and the registry, and about its clock, which both go by. */
import type { Runtime } from "../../runtime/contract.ts";
import { ControlRefusal, ControlUnreachable } from "../api/control.ts";
import { controllerPaths, registryPaths, type HealthAnswer, type ReachAnswer } from "../api/messages.ts";
import { addressText } from "../base/socket_address.ts";
import { humanDuration } from "../base/duration.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";
import { controllerAsNode, controllerUnverified, registryAsNode } from "./controller_link.ts";
import type { Cures } from "./check_cures.ts";
import { fail, ok, warn, type CheckCode, type Finding } from "./finding.ts";
import type { Settings } from "./settings.ts";

export async function checkLinks(
  runtime: Runtime,
  settings: Settings,
  store: CredentialStore,
  cures: Cures,
): Promise<Finding[]> {
  const clock = await checkClock(runtime, settings);
  const reached = await checkController(runtime, settings, store, cures);
  const registry = await checkRegistry(runtime, settings, store, cures);
  // A clock that is wrong is why certificates do not count: it comes first.
  return [...(clock === null ? [] : [clock]), ...reached, registry];
}

/**
 * Asked without looking at certificates, which a wrong clock makes useless: the answer is only compared, never trusted.
 * null: nobody answers.
 */
async function checkClock(runtime: Runtime, settings: Settings): Promise<Finding | null> {
  const control = controllerUnverified(runtime, settings);
  try {
    const beforeMs = runtime.clock.wallMs();
    const { controllerMs } = (await control.call("GET", controllerPaths.health))
      .body as Partial<HealthAnswer>;
    if (controllerMs === undefined) return null;
    return clockFinding((beforeMs + runtime.clock.wallMs()) / 2 - controllerMs);
  } catch {
    return null;
  } finally {
    control.close();
  }
}

const clockCure = "Turn time synchronisation on, here or there (systemd-timesyncd or chrony)";

/** `aheadMs`: of this machine's clock. */
function clockFinding(aheadMs: number): Finding {
  const differs = Math.abs(aheadMs);
  if (differs <= limits.clockSkewWarnMs)
    return ok("HED0006", "clock", `within ${(differs / 1000).toFixed(1)} s of the controller's`);
  const detail = `is ${humanDuration(differs)} ${aheadMs > 0 ? "ahead of" : "behind"} the controller's`;
  return differs > limits.leafBackdateMs
    ? fail("HED0006", "clock", `${detail}: what one of them issues is not valid for the other`, clockCure)
    : warn("HED0006", "clock", detail, clockCure);
}

async function checkController(
  runtime: Runtime,
  settings: Settings,
  store: CredentialStore,
  cures: Cures,
): Promise<Finding[]> {
  const address = settings.controllers.map(addressText).join(" or ");
  const control = controllerAsNode(runtime, settings, store);
  try {
    const where = { address: settings.address, port: settings.ports.inbound };
    const answer = (await control.call("POST", controllerPaths.reach, where)).body as ReachAnswer;
    return [ok("HED0005", "controller", `answers at ${address}`), reachFinding(answer, settings, cures)];
  } catch (error) {
    return [linkFinding("HED0005", "controller", error, settings, cures)];
  } finally {
    control.close();
  }
}

function reachFinding({ ok: reached, detail }: ReachAnswer, { ports }: Settings, cures: Cures): Finding {
  if (reached) return ok("HED0007", "inbound port", detail);
  const cure = `Open TCP port ${ports.inbound} of this machine for the others, and see that the proxy runs (${cures.start("proxy")})`;
  return fail("HED0007", "inbound port", detail, cure);
}

async function checkRegistry(
  runtime: Runtime,
  settings: Settings,
  store: CredentialStore,
  cures: Cures,
): Promise<Finding> {
  const registry = registryAsNode(runtime, settings, store);
  try {
    await registry.call("GET", registryPaths.health);
    return ok("HED0011", "registry", `answers at ${settings.registries.map(addressText).join(" or ")}`);
  } catch (error) {
    return linkFinding("HED0011", "registry", error, settings, cures);
  } finally {
    registry.close();
  }
}

/** It does not answer, or it is there and says no. */
function linkFinding(
  code: CheckCode,
  mode: "controller" | "registry",
  error: unknown,
  settings: Settings,
  cures: Cures,
): Finding {
  if (error instanceof ControlRefusal) {
    const { hint = "heddle status on the controller's machine shows how it sees this one" } = error.problem;
    return fail(code, mode, error.problem.error, hint);
  }
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof ControlUnreachable && error.reason.code === "ENOTFOUND")
    return fail(
      code,
      mode,
      detail,
      `Mend the name in DNS or in /etc/hosts, or the address of the ${mode} in heddle.json of the state folder`,
    );
  if (error instanceof ControlUnreachable && error.reason.kind === "tls")
    return fail(
      code,
      mode,
      detail,
      "See HED0004 and HED0006: certificates that have ended, or a clock that is wrong",
    );
  const lost =
    mode === "controller"
      ? "nothing new reaches this machine, and certificates are not renewed"
      : "no service can be registered, and no document applied";
  const servers = mode === "controller" ? settings.controllers : settings.registries;
  const where = servers.map(addressText).join(" or ");
  const start = cures.start(mode);
  const there = start === `heddle ${mode}` ? "" : ` There: ${start}`;
  return warn(
    code,
    mode,
    detail,
    `Traffic goes on without it, but ${lost}: is \`heddle ${mode}\` running at ${where}, and its port open?${there}`,
  );
}
