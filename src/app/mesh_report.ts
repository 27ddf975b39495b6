/** The reports of several machines, fetched through the controller, in one archive: one file for each machine. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { build } from "../base/build.ts";
import { ask } from "./asking.ts";
import { packed, type Bugreport } from "./bugreport.ts";

/** `machines`: null: all that are connected. */
export async function makeMeshReport(
  runtime: Runtime,
  operator: ControlClient,
  machines: readonly string[] | null,
): Promise<Bugreport> {
  const pieces = new Map<string, string[]>();
  const whole = new Map<string, Uint8Array>();
  const missing: string[] = [];
  await ask(
    operator,
    { question: { what: "report" }, machines: machines === null ? null : [...machines] },
    {
      line(line) {
        const { machine } = line;
        if (line.kind === "line") pieces.set(machine, [...(pieces.get(machine) ?? []), String(line.line)]);
        if (line.kind === "dropped") missing.push(`${machine}: ${line.count} pieces of its report were lost`);
        if (line.kind === "end") {
          const archive = (pieces.get(machine) ?? []).join("");
          if (line.problem !== null) missing.push(`${machine}: ${line.problem}`);
          else if (archive === "") missing.push(`${machine}: its answer is empty`);
          else whole.set(machine, Uint8Array.fromBase64(archive));
        }
        return true;
      },
    },
  );
  const names = [...whole.keys()].sort();
  const parts = names.map((machine) => `${machine}.tar.gz`);
  const about = { ...build(), atMs: runtime.clock.wallMs(), parts, missing };
  const archive = await packed(runtime, [
    ["bugreport.json", new TextEncoder().encode(`${JSON.stringify(about, null, 2)}\n`)],
    ...names.map((machine) => [`${machine}.tar.gz`, whole.get(machine) as Uint8Array] as const),
  ]);
  return { archive, parts: ["bugreport.json", ...parts], missing };
}
