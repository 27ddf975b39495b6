/** Whether a program may take over: it runs here, is heddle, and reads what lies in the state folder. */
import type { Runtime } from "../../../runtime/contract.ts";
import { printable } from "../../base/printable.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import type { StateFolder } from "../state_folder.ts";
import { readFormat, reads, type StateFormat } from "./state_format.ts";

/** Returns its version. `called`: what people call it. Throws why it may not. */
export async function checkProgram(
  runtime: Runtime,
  folder: StateFolder,
  program: string,
  called: string,
): Promise<string> {
  const said = await versionOf(runtime, program, called);
  const refused = (why: string): UserError =>
    new UserError(`Cannot upgrade to ${called}: ${why}`, "Nothing was changed");
  let told: unknown;
  try {
    told = JSON.parse(said);
  } catch {
    throw refused(`it says no version of heddle but ${printable(JSON.stringify(said.slice(0, 200)))}`);
  }
  const { version, commit, state } = (told ?? {}) as Record<string, unknown>;
  const { writes, from } = (state ?? {}) as Record<string, unknown>;
  if (typeof version !== "string") throw refused("it says no version of heddle");
  if (typeof writes !== "number" || typeof from !== "number")
    throw refused(`heddle ${printable(version)} does not know how to take over`);
  const format: StateFormat = { writes, from };
  const stands = await readFormat(runtime.files, folder);
  if (!reads(format, stands))
    throw refused(
      `the state in ${folder.path} is of format ${stands.writes}, and heddle ${printable(version)} reads ${from} to ${writes}${stands.from < stands.writes ? ` (and newer ones that allow it: this one allows ${stands.from} and later)` : ""}`,
    );
  return typeof commit === "string"
    ? `${printable(version)} (commit ${printable(commit)})`
    : printable(version);
}

/** What it prints, as JSON, of its version. */
async function versionOf({ process, clock }: Runtime, program: string, called: string): Promise<string> {
  const failed = (why: string): UserError =>
    new UserError(`Cannot upgrade to ${called}: ${why}`, "Nothing was changed");
  return await new Promise((done, fail) => {
    let [out, err] = ["", ""];
    const late = clock.after(limits.upgradeCheckMs, () => {
      child.kill("SIGKILL");
      fail(failed(`asked for its version it hung for ${limits.upgradeCheckMs / 1000} s`));
    });
    const ended = (code: number | null, signal: string | null): void => {
      late.cancel();
      if (code === 0) return done(out);
      const how = signal === null ? `ended with ${code}` : `was ended by ${signal}`;
      fail(
        failed(
          `asked for its version it ${how}${err.trim() === "" ? "" : `: ${printable(err.trim().slice(0, 500))}`}`,
        ),
      );
    };
    const start = () => {
      try {
        return process.spawn({
          command: [program, "version", "--output", "json"],
          env: { HOME: "/nonexistent", PATH: process.env["PATH"] ?? "" },
          group: true,
          output: (text, stream) => void (stream === "stdout" ? (out += text) : (err += text)),
          exited: ended,
        });
      } catch (error) {
        late.cancel();
        throw failed(`it does not run here: ${(error as Error).message}`);
      }
    };
    const child = start();
  });
}
