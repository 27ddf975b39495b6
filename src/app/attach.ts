/**
 * Units of this machine as instances of services: what couples one to the proxy, puts its app into the Machine document, and lets the
 * proxy take that over while it runs; and what takes it back. All of it may be repeated, and what was interrupted is finished that way.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths } from "../api/messages.ts";
import { ControlRefusal, ControlUnreachable } from "../api/control.ts";
import { UserError } from "../base/user_error.ts";
import { withCaller, withoutUnit, withUnit, type UnitInstance } from "../config/machine_edit.ts";
import { sliceOf } from "../intercept/slice.ts";
import { interceptedUnits } from "../intercept/units_of.ts";
import type { Interception, MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { tryCommand } from "../systemd/commands.ts";
import { earlyUnit, interceptSteps } from "../systemd/intercept_units.ts";
import { applyPlan, requireOwnFiles } from "../systemd/apply.ts";
import { coupledUnits, coupling, uncoupling } from "../systemd/drop_in.ts";
import { listeningUnits, unitFacts, type UnitFacts, type UnitListener } from "../systemd/unit_facts.ts";
import { planLines, type Step } from "../systemd/plan.ts";
import { unitName } from "../systemd/units.ts";
import { listeningSockets } from "../systemd/listening_sockets.ts";
import {
  confirmTime,
  interceptionOf,
  MachineInterception,
  refused6,
  requireInterceptable,
  requireUnfiltered,
} from "./interception.ts";
import { readMachine } from "./machine_document.ts";
import { requireUsablePorts } from "./machine_ports.ts";
import { openOperator } from "./operator.ts";
import { readProxyPage } from "./proxy_page.ts";
import { MachineServices } from "./services.ts";
import { adminPort, requireSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

/** `web.service`, of which `web@1.service` is an instance. */
export interface AttachWanted {
  readonly unit: string;
  /** null: the one at which it listens now. */
  readonly port: number | null;
  /** null: called as the unit is. */
  readonly service: ServiceName;
  readonly host: string | null;
  readonly health: string | null;
  /** null: as it stands. */
  readonly intercept: Interception | null;
}

/** What is to be done here, known before any of it is. */
export interface Change {
  readonly unit: string;
  /** null: a job that ends, which only calls. */
  readonly instance: UnitInstance | null;
  /** What it is an instance of, or calls as; null: it is taken out. */
  readonly service: ServiceName | null;
  /** The Machine document as it was when this was made, and as it will be. */
  readonly before: string;
  readonly text: string;
  /** The unit's traffic is taken into the mesh by the firewall from then on; `left`: it was, and is not any more. */
  readonly interception: "begins" | "left" | "none";
  readonly steps: readonly Step[];
}

export class Attachments {
  /** `open` makes it for what runs here. */
  constructor(
    readonly runtime: Runtime,
    readonly folder: StateFolder,
    readonly settings: Settings,
    readonly services: MachineServices,
  ) {}

  get interception(): MachineInterception {
    return new MachineInterception(this.runtime);
  }

  /** Throws where heddle is no service of this machine: a unit can be coupled to nothing else. */
  static async open(runtime: Runtime, folder: StateFolder): Promise<Attachments> {
    const services = await MachineServices.find(runtime, folder);
    if (services === null)
      throw new UserError(
        "Cannot attach units: systemd does not run this machine",
        "Say what runs here in its Machine document: heddle join --machine FILE",
      );
    const settings = await requireSettings(runtime, folder, "proxy");
    await services.requireInstalled("attach units");
    return new Attachments(runtime, folder, settings, services);
  }

  /** Throws what keeps the unit from being an instance, with its cure. */
  async attaching(wanted: AttachWanted): Promise<Change> {
    const { runtime, services } = this;
    const { unit, service, health, intercept } = wanted;
    const { manager } = services;
    const facts = await unitFacts(runtime.process, manager, unit);
    requireAttachable(unit, facts);
    const own = (await this.listeners()).filter((each) => each.unit === unit);
    const port = wanted.port ?? (facts.type === "oneshot" ? null : portOf(unit, own));
    const host = wanted.host ?? (port === null ? null : hostOf(own, port));
    const instance = port === null ? null : { unit, service, port, host, health, intercept };
    const before = await this.#text();
    const caller = { unit, service, ...(intercept === null ? {} : { intercept }) };
    const text = instance === null ? withCaller(before, caller) : withUnit(before, instance);
    const intercepted = interceptedUnits(this.#read(text)).find((each) => each.unit === unit);
    if (intercepted !== undefined) {
      await this.#requireInterceptable(unit, facts, text);
      requireUnfiltered(intercepted, facts);
    }
    const steps = [
      ...coupling(
        manager,
        unit,
        intercepted === undefined
          ? null
          : { slice: intercepted.slice, requires: intercepted.strict ? [earlyUnit] : [] },
      ),
      ...(intercepted === undefined ? [] : interceptSteps(manager.units, services.program)),
    ];
    await requireOwnFiles(runtime.files, steps);
    const interception = intercepted === undefined ? "none" : "begins";
    const all = [...steps, this.#takeOver()];
    return { unit, instance, service, before, text, interception, steps: all };
  }

  /** Throws where the unit is not attached. */
  async detaching(unit: string): Promise<Change> {
    const { runtime, services } = this;
    const before = await this.#text();
    const text = withoutUnit(before, unit);
    const coupled = (await coupledUnits(runtime.files, services.manager)).filter((each) => each === unit);
    if (coupled.length === 0 && text === before)
      throw new UserError(
        `Cannot detach ${unit}: it is not attached`,
        "heddle attach, alone, shows the units of this machine",
      );
    const steps = [...uncoupling(services.manager, coupled), this.#takeOver()];
    const isLeft = interceptedUnits(this.#read(before)).some((each) => each.unit === unit);
    const interception = isLeft ? "left" : "none";
    return { unit, instance: null, service: null, before, text, interception, steps };
  }

  /** Before it has been done. */
  async plan({ service, text, steps }: Change): Promise<readonly string[]> {
    const isAllowed = service === null || (await this.#mayBe(service)) !== false;
    const document = text === (await this.#text()) ? [] : [`write ${this.folder.machine}`];
    return [
      ...(isAllowed || service === null
        ? []
        : [`let ${this.settings.node} be ${serviceKey(service)}, at the controller`]),
      ...document,
      ...(document.length === 0
        ? []
        : text
            .trimEnd()
            .split("\n")
            .map((line) => `    ${line}`.trimEnd())),
      ...planLines(steps),
    ];
  }

  /**
   * Does it; resolves when the proxy goes by it. Says what is left for somebody to do. Throws where another command changes this machine
   * now, or has since it was made.
   */
  async apply(change: Change, said: (text: string) => void): Promise<readonly string[]> {
    return await this.services.alone(`change ${change.unit}`, () => this.#apply(change, said));
  }

  async #apply(change: Change, said: (text: string) => void): Promise<readonly string[]> {
    const { runtime, folder } = this;
    const { unit, service, before, text, steps, interception } = change;
    if ((await this.#text()) !== before)
      throw new UserError(
        `Cannot change ${unit}: ${folder.machine} was changed meanwhile`,
        "Repeat the command: it goes by what stands there now",
      );
    const left = service === null ? [] : await this.#allow(service, said);
    // Before the proxy stops to listen for what they redirect.
    if (interception === "left") await this.interception.without(unit, said);
    if (text !== before) {
      said(`write ${folder.machine}`);
      await runtime.files.writeAtomic(folder.machine, text, 0o644);
    }
    await applyPlan(runtime, steps, {
      mark: `${this.services.manager.runtimeFolder}/heddle.attaching`,
      said,
    });
    const machine = this.#read(text);
    await this.#untilTakenOver(machine);
    if (interception !== "begins") return left;
    const { isTrial } = await this.interception.try(
      interceptionOf(interceptedUnits(machine), this.settings),
      said,
    );
    const refused = await refused6(runtime.process, interceptedUnits(machine));
    const warned = refused === null ? [] : [`Mind that ${refused.detail}. ${refused.cure}`];
    return [...left, ...warned, ...(await this.#afterIntercepting(unit, isTrial))];
  }

  /** What is left to do for somebody. */
  async #afterIntercepting(unit: string, isTrial: boolean): Promise<readonly string[]> {
    const { process } = this.runtime;
    const group = await tryCommand(process, [
      "systemctl",
      "show",
      "--property=ControlGroup",
      "--value",
      unit,
    ]);
    const runs = group.output.trim() !== "";
    const moved = group.output.includes(`/${sliceOf(unit)}/`);
    return [
      ...(runs && !moved
        ? [
            `${unit} has to start once more, into the slice by which the firewall knows it: systemctl restart ${unit}`,
          ]
        : []),
      ...(isTrial
        ? [
            `The rules go again in ${confirmTime} unless you say that all is well, best from a new login: heddle intercept confirm`,
          ]
        : []),
    ];
  }

  async #requireInterceptable(unit: string, facts: UnitFacts, text: string): Promise<void> {
    const { runtime, settings, services } = this;
    if (services.manager.scope === "system") await requireInterceptable(runtime);
    if (services.manager.scope !== "system" || settings.loopback !== "127.0.0.1")
      throw new UserError(
        `Cannot intercept ${unit}: heddle is not the service of the whole machine`,
        "Install it as root, with the loopback address 127.0.0.1; or call by name or by an explicit port",
      );
    if (facts.slice !== "" && facts.slice !== sliceOf(unit) && !/^system(?:-.*)?\.slice$/.test(facts.slice))
      throw new UserError(
        `Cannot intercept ${unit}: it runs in ${facts.slice}, whose limits it would lose`,
        `Take Slice= out of the unit, and give its limits to ${sliceOf(unit)}`,
      );
    // They say what cannot be.
    await this.interception.rules(interceptionOf(interceptedUnits(this.#read(text)), settings));
  }

  /** Units that listen here, heddle's own apart. */
  async listeners(): Promise<readonly UnitListener[]> {
    const { process, files } = this.runtime;
    const all = await listeningUnits(process, files, await listeningSockets(files));
    return all.filter(({ unit }) => !unit.startsWith("heddle-"));
  }

  /** Those that are attached. */
  async attached(): Promise<readonly string[]> {
    const { services, callers = [] } = this.#read(await this.#text());
    const named = [...services, ...callers].flatMap(({ unit }) => (unit === undefined ? [] : [unit]));
    return [...new Set([...named, ...(await coupledUnits(this.runtime.files, this.services.manager))])];
  }

  async #text(): Promise<string> {
    const bytes = await this.runtime.files.read(this.folder.machine);
    if (bytes !== null) return new TextDecoder().decode(bytes);
    throw new UserError(
      `Cannot attach units: ${this.folder.machine} is missing`,
      "Join again, or restore it",
    );
  }

  #read(text: string): MachineDocument {
    const machine = readMachine({ file: this.folder.machine, text });
    requireUsablePorts(this.settings, machine);
    return machine;
  }

  /** A unit that an older heddle wrote does not know how to take a document over: it starts again. */
  #takeOver(): Step {
    const command = [...this.services.manager.systemctl, "reload-or-restart", unitName("proxy")];
    return { kind: "run", command, when: "always", undo: null };
  }

  /** null: nobody can tell. */
  async #mayBe(service: ServiceName): Promise<boolean | null> {
    const { runtime, settings } = this;
    const page = await readProxyPage(runtime, settings.loopback, adminPort(settings, "proxy"));
    return page?.locals?.includes(serviceKey(service)) ?? null;
  }

  async #allow(service: ServiceName, said: (text: string) => void): Promise<readonly string[]> {
    const { runtime, folder, settings } = this;
    if ((await this.#mayBe(service)) === true) return [];
    const key = serviceKey(service);
    const command = `heddle node allow ${settings.node} --service ${service.namespace === "default" ? service.name : key}`;
    const byHand = [`${settings.node} may not be ${key} yet; on the controller's machine: ${command}`];
    const path = runtime.process.env["HEDDLE_OPERATOR"] ?? folder.operator;
    if ((await runtime.files.stat(path)) === null) return byHand;
    const operator = await openOperator(runtime, folder);
    try {
      said(`let ${settings.node} be ${key}, at the controller`);
      await operator.call("POST", `${controllerPaths.nodes}/${settings.node}/allow`, { service });
      return [];
    } catch (error) {
      if (error instanceof ControlRefusal || error instanceof ControlUnreachable)
        return [error.message, ...byHand];
      throw error;
    } finally {
      operator.close();
    }
  }

  async #untilTakenOver(machine: MachineDocument): Promise<void> {
    const { runtime, settings } = this;
    const { clock } = runtime;
    const endsMs = clock.now() + limits.managerReloadMs;
    for (;;) {
      const page = await readProxyPage(runtime, settings.loopback, adminPort(settings, "proxy"));
      if (JSON.stringify(page?.machine) === JSON.stringify(machine)) return;
      if (clock.now() > endsMs)
        throw new UserError(
          "The proxy has not taken the Machine document over",
          `Its log says why: ${this.services.manager.journal.join(" ")} ${unitName("proxy")}`,
        );
      await new Promise<void>((done) => void clock.after(limits.managerReloadLookMs, done));
    }
  }
}

function requireAttachable(unit: string, facts: UnitFacts): void {
  if (!facts.known)
    throw new UserError(
      `Cannot attach ${unit}: there is no such unit`,
      "heddle attach, alone, shows the units of this machine that listen; after a new unit file: systemctl daemon-reload",
    );
  const [socket] = facts.sockets;
  if (socket !== undefined)
    throw new UserError(
      `Cannot attach ${unit}: ${socket} opens its port, so whose connections they are cannot be told`,
      `Let the app open its port itself: systemctl disable --now ${socket}, and mend the app's unit`,
    );
  if (facts.ownNetwork)
    throw new UserError(
      `Cannot attach ${unit}: it has a network of its own (PrivateNetwork= or NetworkNamespacePath=), and the proxy does not reach into it`,
      "Take that out of the unit, and let the app listen on 127.0.0.1",
    );
}

/** The only one. */
function portOf(unit: string, own: readonly UnitListener[]): number {
  const ports = [...new Set(own.map(({ port }) => port))];
  if (ports.length === 1) return ports[0] as number;
  throw new UserError(
    ports.length === 0
      ? `Cannot attach ${unit} without its port: it listens nowhere now`
      : `Cannot attach ${unit} without its port: it listens on ${ports.join(", ")}`,
    `Say it: heddle attach ${unit} --port ${ports[0] ?? "8080"}`,
  );
}

/** null: on loopback, or everywhere; or it is not running. */
function hostOf(own: readonly UnitListener[], port: number): string | null {
  const addresses = own.filter((each) => each.port === port).map(({ address }) => address);
  if (addresses.length === 0 || addresses.some((each) => ["127.0.0.1", "0.0.0.0", "::"].includes(each)))
    return null;
  return addresses.find((each) => each !== "IPv6") ?? null;
}
