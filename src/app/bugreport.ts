/**
 * What somebody needs who looks for a fault of heddle on this machine, in one archive, without secrets. What cannot be had is left out, and
 * said in its list.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { problemOf } from "../base/result.ts";
import { withoutSecrets, withoutSecretValues } from "../base/secrets.ts";
import { limits } from "../model/limits.ts";
import { tryCommand } from "../systemd/commands.ts";
import { findManager } from "../systemd/manager.ts";
import { checkMachine } from "./check.ts";
import { plainGet } from "./plain_get.ts";
import { adminPort, readSettings, type Mode, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface Bugreport {
  readonly archive: Uint8Array;
  /** Names of what is in it. */
  readonly parts: readonly string[];
  /** What is not, and why. */
  readonly missing: readonly string[];
}

/** Gives a text, or throws why there is none. `json`: it is looked through value by value. */
interface Part {
  readonly name: string;
  readonly json: boolean;
  readonly read: () => Promise<string>;
}

export async function makeBugreport(runtime: Runtime, folder: StateFolder): Promise<Bugreport> {
  const settings = await readSettings(runtime, folder);
  const known = await knownSecrets(runtime, folder);
  const texts: [string, string][] = [];
  const missing: string[] = [];
  for (const part of partsOf(runtime, folder, settings)) {
    try {
      texts.push([part.name, cleaned(part, await part.read(), known)]);
    } catch (error) {
      missing.push(withoutSecrets(`${part.name}: ${problemOf(error)}`, known));
    }
  }
  const about = { ...build(), atMs: runtime.clock.wallMs(), parts: texts.map(([name]) => name), missing };
  texts.unshift(["bugreport.json", `${JSON.stringify(about, null, 2)}\n`]);
  const encoder = new TextEncoder();
  const archive = await packed(
    runtime,
    texts.map(([name, text]) => [name, encoder.encode(text)]),
  );
  return { archive, parts: texts.map(([name]) => name), missing };
}

/** Files by name, as one archive. */
export async function packed(
  runtime: Pick<Runtime, "clock" | "process">,
  files: readonly (readonly [name: string, body: Uint8Array])[],
): Promise<Uint8Array> {
  const { packTar } = await import("modern-tar");
  const mtime = new Date(runtime.clock.wallMs());
  const tar = await packTar(
    files.map(([name, body]) => ({
      header: { name: `heddle-bugreport/${name}`, size: body.length, mode: 0o600, mtime },
      body,
    })),
  );
  return await runtime.process.gzip(tar);
}

function partsOf(runtime: Runtime, folder: StateFolder, settings: Settings | null): Part[] {
  const file = (name: string, path: string, json = false): Part => ({
    name,
    json,
    read: async () => {
      const bytes = await runtime.files.read(path);
      if (bytes === null) throw new Error(`there is no file ${path}`);
      return new TextDecoder().decode(bytes);
    },
  });
  return [
    file("system/version.txt", "/proc/version"),
    file("system/os-release.txt", "/etc/os-release"),
    file("system/memory.txt", "/proc/meminfo"),
    file("system/load.txt", "/proc/loadavg"),
    file("state/heddle.json", folder.settings, true),
    file("state/machine.yaml", folder.machine),
    file("state/snapshot.json", folder.snapshot, true),
    { name: "check.json", json: true, read: async () => JSON.stringify(await checkMachine(runtime, folder)) },
    ...(settings?.modes ?? []).flatMap((mode) => partsOfMode(runtime, settings as Settings, mode)),
  ];
}

function partsOfMode(runtime: Runtime, settings: Settings, mode: Mode): Part[] {
  const page = (name: string, path: string, json = false): Part => ({
    name: `${mode}/${name}`,
    json,
    read: async () => (await plainGet(runtime, settings.loopback, adminPort(settings, mode), path)).text,
  });
  const command = (name: string, words: (unit: string) => Promise<readonly string[]>): Part => ({
    name: `${mode}/${name}`,
    json: false,
    read: async () => {
      const { output } = await tryCommand(runtime.process, await words(`heddle-${mode}.service`));
      return output;
    },
  });
  const manager = async () => {
    const found = await findManager(runtime);
    if (found === null) throw new Error("systemd does not run this machine: add what the mode printed");
    return found;
  };
  const lines = String(limits.bugreportLogLines);
  return [
    page("ready.txt", "/ready"),
    page("config.json", "/config", true),
    page("metrics.txt", "/metrics"),
    command("unit.txt", async (unit) => [...(await manager()).systemctl, "show", unit]),
    command("log.txt", async (unit) => [
      ...(await manager()).journal,
      ...[unit, "--no-pager", "--lines", lines, "--output", "short-iso"],
    ]),
  ];
}

/** Throws where a secret would be left in it. */
function cleaned({ json }: Part, text: string, known: readonly string[]): string {
  const plain = json ? `${JSON.stringify(withoutSecretValues(JSON.parse(text)), null, 2)}\n` : text;
  // The newest is what is wanted.
  const clean = withoutSecrets(plain, known).slice(-limits.bugreportPartCharactersMax);
  if (known.some((secret) => clean.includes(secret)))
    throw new Error("a secret could not be taken out of it");
  return clean;
}

/** Keys that this machine holds, as they stand in files: nothing of the archive may have a line of one. */
async function knownSecrets({ files }: Runtime, folder: StateFolder): Promise<string[]> {
  const found = new Set<string>();
  const inFile = async (path: string): Promise<void> => {
    const bytes = await files.read(path).catch(() => null);
    if (bytes === null || bytes.length > limits.bugreportPartCharactersMax) return;
    const text = new TextDecoder().decode(bytes).replaceAll("\\n", "\n");
    for (const [, body = ""] of text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END/g))
      for (const line of body.split("\n")) if (line.trim().length >= secretLength) found.add(line.trim());
    for (const [, key = ""] of text.matchAll(/"(?:sessionKey|secret|key)": ?"([^"\n]{16,})"/g))
      found.add(key);
  };
  const inFolder = async (path: string): Promise<void> => {
    for (const name of await files.list(path).catch(() => [])) await inFile(`${path}/${name}`);
  };
  await Promise.all([
    ...[folder.path, folder.credentials, folder.authority, folder.control, folder.registry].map(inFolder),
  ]);
  return [...found];
}

/** A shorter line of a key is no secret by itself, and stands in other texts by chance. */
const secretLength = 16;
