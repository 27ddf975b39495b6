/**
 * `heddle dev`: a whole mesh in one process and a temporary folder. Each Machine document of the folder is a proxy on a
 * loopback address of its own; everything else is applied, and applied again whenever a file changes.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths, type ApiIssue, type ApplyAnswer } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import type { ControlClient } from "../api/control.ts";
import { ControlRefusal } from "../api/control.ts";
import { limits } from "../model/limits.ts";
import { ports } from "../model/ports.ts";
import { gatherFiles } from "./apply_files.ts";
import { startController } from "./controller_mode.ts";
import { initializeMesh } from "./init.ts";
import { readMachine } from "./machine_document.ts";
import { splitMachines, type TextFile } from "./machine_files.ts";
import { joinMesh } from "./join.ts";
import { openOperator } from "./operator.ts";
import { startProxy, type RunningProxy } from "./proxy_mode.ts";
import { startRegistry } from "./registry_mode.ts";
import type { Running } from "./running.ts";
import type { Address } from "./settings.ts";
import { stateFolder } from "./state_folder.ts";

export interface DevVoice {
  readonly said: (text: string) => void;
  readonly issues: (issues: readonly ApiIssue[]) => void;
}

export async function startDev(runtime: Runtime, folder: string, voice: DevVoice): Promise<RunningProxy> {
  const { files } = runtime;
  const root = `/tmp/heddle-dev-${runtime.process.pid}`;
  const found = await split(runtime, folder);
  const machines =
    found.machines.length > 0 ? found.machines : [{ file: "dev", text: "kind: Machine\nname: dev\n" }];
  const running: Running[] = [];
  const close = async (deadlineMs: number): Promise<void> => {
    for (const each of running.splice(0).reverse()) await each.close(deadlineMs);
    await files.remove(root);
  };
  try {
    const examples = await startMachines(runtime, root, machines, running);
    const operator = await openOperator(runtime, stateFolder(`${root}/0`));
    await controllerIsReady(runtime, operator);
    await applyFolder(runtime, folder, operator, voice, true);
    running.push(follow(runtime, folder, operator, voice));
    return {
      summary: running
        .map((each) => each.summary)
        .filter(Boolean)
        .join("\n"),
      examples,
      close,
    };
  } catch (error) {
    await close(0);
    throw error;
  }
}

/** The first machine holds the control plane; the others join it as they would anywhere. */
async function startMachines(
  runtime: Runtime,
  root: string,
  machines: readonly TextFile[],
  running: Running[],
): Promise<string[]> {
  const examples: string[] = [];
  let controller: Address = { host: "127.0.0.1", port: ports.controller };
  for (const [at, machine] of machines.entries()) {
    const document = readMachine(machine);
    const address = document.address ?? "127.0.0.1";
    const node = document.name === "" ? `dev-${at}` : document.name;
    const state = stateFolder(`${root}/${at}`);
    const places = {
      node,
      address,
      loopback: address,
      inboundPort: ports.inbound,
      outboundPort: ports.outboundFirst,
      adminPort: ports.admin,
      machine,
    };
    if (at === 0) {
      const { settings } = await initializeMesh(runtime, state, {
        ...places,
        trustDomain: "dev.mesh",
        controllerPort: ports.controller,
        registryPort: ports.registry,
      });
      controller = settings.controller;
      running.push(await startRegistry(runtime, state, settings, { admin: false }));
      running.push(await startController(runtime, state, settings, { admin: false }));
      const proxy = await startProxy(runtime, state, settings, {});
      running.push(proxy);
      examples.push(...proxy.examples);
      continue;
    }
    const operator = await openOperator(runtime, stateFolder(`${root}/0`));
    await controllerIsReady(runtime, operator);
    const services = document.services.map((each) => each.service);
    const { token } = (
      await operator.call("POST", controllerPaths.tokens, { services, ttlMs: limits.joinTokenMs })
    ).body as { token: string };
    operator.close();
    const { settings } = await joinMesh(runtime, state, { ...places, controller, token });
    const proxy = await startProxy(runtime, state, settings, {});
    running.push(proxy);
    examples.push(...proxy.examples);
  }
  return examples;
}

async function controllerIsReady(runtime: Runtime, operator: ControlClient): Promise<void> {
  const deadline = runtime.clock.now() + limits.controlConnectMs;
  for (;;) {
    const { ok } = (await operator.call("GET", controllerPaths.health)).body as { ok: boolean };
    if (ok) return;
    if (runtime.clock.now() > deadline)
      throw new UserError("The controller did not reach the registry in time");
    await new Promise<void>((resolve) => runtime.clock.after(20, resolve));
  }
}

/** Machine documents apart from what is applied. */
async function split(runtime: Runtime, folder: string) {
  const gathered = await gatherFiles(runtime.files, [folder]);
  return { ...splitMachines(gathered.files), policies: gathered.policies };
}

/** At the start a broken document is an error; later it is told, and what stood before goes on. */
async function applyFolder(
  runtime: Runtime,
  folder: string,
  operator: ControlClient,
  voice: DevVoice,
  first: boolean,
): Promise<void> {
  try {
    const { documents, policies } = await split(runtime, folder);
    const body = { files: documents, policies, prune: true, dryRun: false };
    const answer = (await operator.call("POST", controllerPaths.documents, body)).body as ApplyAnswer;
    const changed = answer.changes.filter((each) => each.change !== "unchanged");
    for (const each of changed) voice.said(`${each.change} ${each.kind} ${each.name}`);
    if (changed.length === 0 && !first) voice.said("Read again: all is well, nothing is different");
  } catch (error) {
    if (!(error instanceof ControlRefusal) || error.problem.issues === undefined) throw error;
    voice.issues(error.problem.issues as readonly ApiIssue[]);
    if (first) throw new UserError(error.problem.error, null, 1);
    voice.said("Nothing was changed; what stood before goes on");
  }
}

function follow(runtime: Runtime, folder: string, operator: ControlClient, voice: DevVoice): Running {
  let timer: { cancel(): void } | null = null;
  const changed = (): void => {
    timer?.cancel();
    timer = runtime.clock.after(limits.publishDebounceMs * 2, () => {
      applyFolder(runtime, folder, operator, voice, false).catch((error: Error) =>
        voice.said(`Cannot apply: ${error.message}`),
      );
    });
  };
  const watches = [runtime.files.watch(folder, changed)];
  void runtime.files.stat(`${folder}/policies`).then((stat) => {
    if (stat !== null) watches.push(runtime.files.watch(`${folder}/policies`, changed));
  });
  return {
    summary: `watching ${folder}`,
    close: async () => {
      timer?.cancel();
      for (const watch of watches) watch.close();
      operator.close();
    },
  };
}
