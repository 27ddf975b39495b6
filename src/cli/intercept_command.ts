/** `heddle intercept`: rules of this machine's firewall that take traffic of units into the mesh: shown, confirmed, taken back. */
import type { Command } from "commander";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";

export function registerIntercept(program: Command, cli: Cli): void {
  const group = program
    .command("intercept")
    .description(
      "rules of the firewall that take traffic of units into the mesh (heddle attach UNIT --intercept)",
    );
  const sub = (name: string, description: string, hidden = false) =>
    group.command(name, { hidden }).description(description);
  const plan = sub("plan", "print the rules as they would be loaded now, and do nothing");
  plan.action(async () => {
    const { interceptedUnits } = await import("../intercept/units_of.ts");
    const { readMachineFile } = await import("../app/machine_file.ts");
    const folder = cli.folder(plan);
    const units = interceptedUnits(await readMachineFile(cli.runtime, folder));
    if (units.length === 0)
      throw new UserError("No unit of this machine is to be intercepted", "heddle attach UNIT --intercept");
    const { interceptionOf } = await import("../app/interception.ts");
    const { requireSettings } = await import("../app/settings.ts");
    const settings = await requireSettings(cli.runtime, folder, "proxy");
    const rules = await (await open()).rules(interceptionOf(units, settings));
    const terminal = cli.terminal(plan);
    if (terminal.format === "json") terminal.json({ units, rules });
    else for (const line of rules.trimEnd().split("\n")) terminal.line(line);
  });
  const status = sub(
    "status",
    "show what is in force, what each rule has matched, and who calls around the mesh",
  );
  status.action(async () => {
    const interception = await open();
    const missing = await interception.notInForce(await wantedHere(cli, status));
    await show(cli.terminal(status), interception, missing);
  });
  const confirm = sub("confirm", "keep the rules that are being tried");
  confirm.action(async () => {
    const { units } = await (await open()).confirm();
    const terminal = cli.terminal(confirm);
    if (terminal.format === "json") terminal.json({ units });
    else terminal.line(`The rules stay, over reboots too: ${units.map(({ unit }) => unit).join(", ")}`);
  });
  const undo = sub("undo", "take all rules back; connections that were redirected go on");
  undo.action(async () => {
    const terminal = cli.terminal(undo);
    await (await open()).undo((text) => terminal.problem(`  ${text}`));
    const wanted = (await wantedHere(cli, undo)).map(({ unit }) => unit);
    if (terminal.format === "json") return terminal.json({ undone: true, wanted });
    terminal.line("No unit of this machine is intercepted any more. Again: heddle attach UNIT --intercept");
    if (wanted.length > 0)
      terminal.line(
        `The Machine document goes on to say intercept for ${wanted.join(", ")}: the next heddle attach of one that is to be intercepted takes them in again`,
      );
  });
  const load = sub("load", "for its unit", true);
  load.option("--early", "only what stands before the proxy does", false);
  load.action(async ({ early }: { early: boolean }) =>
    cli.terminal(load).line(await (await open()).load(early ? "early" : "all")),
  );
  const keep = sub("keep", "for its timer", true);
  keep.action(async () => {
    const said = await (await open()).keep();
    if (said !== null) cli.terminal(keep).line(said);
  });

  async function open() {
    const { MachineInterception, requireInterceptable } = await import("../app/interception.ts");
    await requireInterceptable(cli.runtime);
    return new MachineInterception(cli.runtime);
  }
}

/** As the Machine document says; none where there is no document that can be read. */
async function wantedHere(cli: Cli, command: Command) {
  const { interceptedUnits } = await import("../intercept/units_of.ts");
  const { readMachineFile } = await import("../app/machine_file.ts");
  const machine = await readMachineFile(cli.runtime, cli.folder(command)).catch(() => null);
  return machine === null ? [] : interceptedUnits(machine);
}

async function show(
  terminal: Terminal,
  interception: InstanceType<typeof import("../app/interception.ts").MachineInterception>,
  missing: readonly string[],
): Promise<void> {
  const { units, isTrial } = await interception.inForce();
  const standing = await interception.standing();
  if (terminal.format === "json") return terminal.json({ units, isTrial, standing, missing });
  if (units.length === 0)
    terminal.line("No unit of this machine is intercepted: heddle attach UNIT --intercept");
  const rules = standing?.rules ?? [];
  const of = (unit: string, ...whats: string[]) =>
    rules.filter((rule) => rule.unit === unit && whats.includes(rule.what));
  const matched = (some: ReturnType<typeof of>): string =>
    some.length === 0
      ? "no rule stands"
      : some.some(({ stale }) => stale)
        ? "the rule matches nothing: the slice was made anew"
        : String(some.reduce((sum, { packets }) => sum + packets, 0));
  if (units.length > 0)
    terminal.table(
      ["UNIT", "OUTBOUND", "REDIRECTED", "INBOUND", "PORTS", "IN CLEAR"],
      units.map(({ unit, outbound, inbound, ports }) => [
        unit,
        outbound,
        matched(of(unit, "mesh", "all", "all6")),
        ports.length === 0 ? "-" : inbound,
        ports.join(","),
        ports.length === 0 ? "-" : matched(of(unit, "audit", "enforce")),
      ]),
    );
  const clear = standing?.clear ?? [];
  if (clear.length > 0)
    terminal.table(
      ["CALLER IN CLEAR", "PORT", "CONNECTIONS"],
      clear.map(({ address, port, packets }) => [address, String(port), String(packets)]),
    );
  if (missing.length > 0)
    terminal.problem(
      text`${terminal.paint.yellow("warning:")} the Machine document says intercept for ${missing.join(", ")}, and it is not in force: heddle attach UNIT --intercept tries it again`,
    );
  if (isTrial)
    terminal.line("Being tried: the rules go again unless you say heddle intercept confirm in time");
}
