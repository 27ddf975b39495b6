/** Two commands never change the services of a machine at once; who ended is in nobody's way. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Files, Runtime, SpawnOptions } from "../../../runtime/contract.ts";
import { Attachments, type Change } from "../../../src/app/attach.ts";
import { MachineServices } from "../../../src/app/services.ts";
import type { Settings } from "../../../src/app/settings.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { asOneChanger } from "../../../src/systemd/one_changer.ts";
import { programOf, runtime } from "../../support/runtime_under_test.ts";

const folder = mkdtempSync(`${tmpdir()}/heddle-lock-`);
const path = `${folder}/heddle.lock`;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nothing = async () => {};
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    (error: Error) => error.message,
  );

test("the second is refused while the first one works, by the process and command that it waits for", async () => {
  const said = await asOneChanger(runtime, path, "upgrade", () =>
    refusal(asOneChanger(runtime, path, "upgrade", nothing)),
  );
  expect(said).toMatch(
    new RegExp(
      `^Cannot upgrade: process ${process.pid} \\(.*bun.*\\) changes the services of this machine now$`,
    ),
  );
});

test("the next one may once the first has ended, failed too", async () => {
  const failing = asOneChanger(runtime, path, "upgrade", async () => {
    throw new Error("it failed");
  });
  expect(await refusal(failing)).toBe("it failed");
  expect(await refusal(asOneChanger(runtime, path, "upgrade", nothing))).toBe("done");
});

test("a process that was killed holds nothing any more", async () => {
  const child = Bun.spawn(programOf(`${import.meta.dir}/../../support/changer_child.ts`).concat(path), {
    stdout: "pipe",
  });
  await child.stdout.getReader().read();
  expect(await refusal(asOneChanger(runtime, path, "upgrade", nothing))).toContain(`process ${child.pid} (`);
  child.kill("SIGKILL");
  await child.exited;
  expect(await refusal(asOneChanger(runtime, path, "upgrade", nothing))).toBe("done");
});

test("nobody but its owner can open the file", () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a file that was taken away meanwhile is no lock", async () => {
  const files = { ...runtime.files, stat: async (each: string) => gone(each) } as Files;
  const gone = async (each: string) => (each === path ? null : await runtime.files.stat(each));
  expect(await refusal(asOneChanger({ ...runtime, files }, path, "upgrade", nothing))).toBe(
    "Cannot upgrade: another heddle command changes the services of this machine now",
  );
});

/** A machine whose services are of a user, in that folder. */
async function machine() {
  mkdirSync(`${folder}/systemd`, { recursive: true });
  await Bun.write(`${folder}/systemd/private`, "");
  const ran: string[] = [];
  const spawn = ({ command, output, exited }: SpawnOptions) => {
    ran.push(command.join(" "));
    if (command.includes("--version") && typeof output === "function")
      output("systemd 252 (252.39)", "stdout");
    exited(0, null);
    return null;
  };
  const stat = async (each: string) =>
    await runtime.files.stat(each.replace(/^\/run\/systemd\/system$/, "/"));
  const env = { XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: `${folder}/config` };
  const here = {
    ...runtime,
    files: { ...runtime.files, stat } as Files,
    process: { ...runtime.process, spawn, env, user: 1000, home: folder, self: ["/proc/self/exe"] },
  } as unknown as Runtime;
  const state = stateFolder(`${folder}/state`);
  const [one, other] = [await MachineServices.find(here, state), await MachineServices.find(here, state)];
  if (one === null || other === null) throw new Error("no services were found");
  ran.length = 0;
  return { here, state, one, other, ran };
}

test("installation and removal wait for nobody, and do nothing beside an upgrade", async () => {
  const { one, other, ran } = await machine();
  const wanted = {
    modes: ["proxy"],
    controllers: [{ host: "10.0.0.1", port: 7443 }],
    registries: [{ host: "10.0.0.1", port: 7444 }],
  } as const;
  await one.alone("upgrade", async () => {
    await one.alone("upgrade", nothing);
    expect(await refusal(other.install(wanted, 30_000, () => {}))).toContain(
      "Cannot install services: process",
    );
    expect(await refusal(other.remove(true, () => {}))).toContain("Cannot remove services: process");
    expect(await refusal(other.retire(["registry"], () => {}))).toContain("Cannot remove services: process");
  });
  expect([ran, existsSync(`${folder}/config`)]).toEqual([[], false]);
  await other.remove(true, () => {});
  expect(existsSync(path)).toBe(false);
});

test("a unit is not attached beside an upgrade, nor by a document that another command changed since", async () => {
  const { here, state, one, other, ran } = await machine();
  mkdirSync(state.path, { recursive: true });
  await Bun.write(state.machine, "kind: Machine\nname: vm\n");
  const attachments = new Attachments(here, state, {} as Settings, other);
  const change: Change = {
    ...{ unit: "web.service", instance: null, service: null, interception: "none", steps: [] },
    ...{ before: "kind: Machine\n", text: "kind: Machine\nname: other\n" },
  };
  const attached = () => refusal(attachments.apply(change, () => {}));
  expect(await one.alone("upgrade", attached)).toContain("Cannot change web.service: process");
  expect(await attached()).toBe(`Cannot change web.service: ${state.machine} was changed meanwhile`);
  expect([ran, await Bun.file(state.machine).text()]).toEqual([[], "kind: Machine\nname: vm\n"]);
});
