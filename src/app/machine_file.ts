/**
 * What runs on this machine, as its proxy starts with it. What was read from the document is kept beside it in ready form: a
 * proxy that starts with an unchanged document loads neither the YAML reader nor the schemas, which a fifth of its memory
 * would go to.
 */
import { createHash, randomUUID } from "node:crypto";
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { build } from "../base/build.ts";
import type { MachineDocument } from "../model/document.ts";
import type { StateFolder } from "./state_folder.ts";

/** Good for one text, read by one build. */
interface Ready {
  readonly of: string;
  readonly machine: MachineDocument;
}

export async function readMachineFile(runtime: Runtime, folder: StateFolder): Promise<MachineDocument> {
  const { files } = runtime;
  const bytes = await files.read(folder.machine);
  if (bytes === null)
    throw new UserError(
      `Cannot start the proxy: ${folder.machine} is missing`,
      "It says which services run here; heddle join writes it",
    );
  const text = new TextDecoder().decode(bytes);
  const ready = readyOf(await files.read(folder.machineReady));
  if (ready !== null && ready.of === nameOf(text)) return ready.machine;
  const { readMachine } = await import("./machine_document.ts");
  const machine = readMachine({ file: folder.machine, text });
  await keepReady(runtime, folder, text, machine);
  return machine;
}

/** Keeps what a text was read as. Only a shortcut: a disk that is full costs memory at the next start, nothing else. */
export async function keepReady(
  { files }: Runtime,
  folder: StateFolder,
  text: string,
  machine: MachineDocument,
): Promise<void> {
  const ready: Ready = { of: nameOf(text), machine };
  await files.writeAtomic(folder.machineReady, JSON.stringify(ready), 0o600).catch(() => {});
}

/** The text and the program that reads it. A program from source is another one each time. */
function nameOf(text: string): string {
  const { version, commit } = build();
  const reader = commit === null ? randomUUID() : `${version} ${commit}`;
  return createHash("sha256").update(`${reader}\n${text}`).digest("hex");
}

/** null for anything but what was written here. */
function readyOf(bytes: Uint8Array | null): Ready | null {
  if (bytes === null) return null;
  try {
    const ready = JSON.parse(new TextDecoder().decode(bytes)) as Ready | null;
    return typeof ready?.of === "string" && typeof ready.machine === "object" ? ready : null;
  } catch {
    return null;
  }
}
