/** What keeps heddle from being a service of a machine is told before anything is done. */
import { expect, test } from "bun:test";
import type { Runtime } from "../../../runtime/contract.ts";
import { MachineServices, type ServicesWanted } from "../../../src/app/services.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const booted = { "/run/systemd/system/units": "", "/proc/self/exe": "the binary" };
const wanted: ServicesWanted = {
  modes: ["proxy"],
  controllers: [{ host: "10.0.0.1", port: 7443 }],
  registries: [{ host: "10.0.0.1", port: 7444 }],
};

interface Host {
  readonly files?: Readonly<Record<string, string>>;
  readonly systemd?: string;
  readonly user?: number;
  readonly self?: readonly string[];
  readonly state?: string;
}

function hostOf({
  files = booted,
  systemd = "systemd 252 (252.39)",
  user = 0,
  self = ["/proc/self/exe"],
}: Host) {
  const machine = new MemoryMachine(files);
  machine.effects.set("systemctl", ([, word]) => (word === "--version" ? systemd : 0));
  const process = { ...machine.process, user, self, home: "/home/ann" };
  return { files: machine.files, process } as unknown as Runtime;
}

async function installable(host: Host): Promise<readonly string[] | null> {
  const services = await MachineServices.find(hostOf(host), stateFolder(host.state ?? "/var/lib/heddle"));
  await services?.requireInstallable(wanted);
  return services?.plan(wanted, 30_000) ?? null;
}

test("a machine that systemd does not run has none", async () => {
  expect(await installable({ files: {} })).toBe(null);
});

test("root has those of the machine, as a user of their own", async () => {
  const plan = (await installable({}))?.join("\n");
  expect(plan).toContain("write /etc/systemd/system/heddle-proxy.service");
  expect(plan).toContain("User=heddle");
});

test("others have those of their own manager, without a user", async () => {
  const files = { ...booted, "/run/user/1000/systemd/private": "" };
  const plan = (await installable({ files, user: 1000, state: "/home/ann/.local/state/heddle" }))?.join("\n");
  expect(plan).toContain("write /home/ann/.config/systemd/user/heddle-proxy.service");
  expect(plan).toContain("copy this program to /home/ann/.local/bin/heddle");
  expect(plan).not.toContain("User=");
});

const unit = "/etc/systemd/system/heddle-proxy.service";
const own = "# Written by heddle; `heddle uninstall` removes it.\n[Service]\n";

test.each<[string, Host, string]>([
  ["systemd is too old", { systemd: "systemd 245 (245.4)" }, "they need systemd 249 or later, this is 245"],
  ["the user has no manager", { user: 1000 }, "you are not root, and no service manager of yours runs"],
  ["it runs from its sources", { self: ["bun", "src/main.ts"] }, "heddle runs from its sources"],
  [
    "units would not see the state",
    { state: "/home/ann/state" },
    "Cannot install services with the state in /home/ann/state: they do not see what is below /home/",
  ],
  [
    "the services that are there have another state",
    { files: { ...booted, [unit]: `${own}Environment="HEDDLE_STATE=/srv/100%% heddle"\n` } },
    "those of this machine have theirs in /srv/100% heddle",
  ],
  [
    "somebody else's unit has the name",
    { files: { ...booted, [unit]: "[Service]\n" } },
    `Cannot write ${unit}: it is there, and heddle did not write it`,
  ],
  [
    "somebody has the user's name",
    {
      files: {
        ...booted,
        "/etc/passwd": "root:x:0:0::/:/bin/sh\nheddle:x:1000:1000::/home/heddle:/bin/sh\n",
      },
    },
    "there is a user heddle on this machine that heddle did not make",
  ],
])("it is refused where %s", async (_, host, words) => {
  await expect(installable(host)).rejects.toThrow(words);
});

test("what was changed about a machine is heard of by its services, unless it was nothing", async () => {
  const host = hostOf({});
  const services = await MachineServices.find(host, stateFolder("/var/lib/heddle"));
  const mark = () => host.files.read("/run/heddle.changing");
  await services?.around(
    (changing) => changing().then(() => "the same"),
    () => false,
  );
  expect(await mark()).toBe(null);
  await services?.around(
    (changing) => changing().then(() => "another"),
    () => true,
  );
  expect(await mark()).not.toBe(null);
});

test("what failed half way is heard of by services that are there", async () => {
  for (const [files, keeps] of [
    [booted, false],
    [{ ...booted, [unit]: `${own}Environment=HEDDLE_STATE=/var/lib/heddle\n` }, true],
  ] as const) {
    const host = hostOf({ files });
    const services = await MachineServices.find(host, stateFolder("/var/lib/heddle"));
    const failing = services?.around(
      async (changing) => {
        await changing();
        throw new Error("the disk is full");
      },
      () => true,
    );
    await expect(failing).rejects.toThrow("the disk is full");
    expect((await host.files.stat("/run/heddle.changing")) !== null).toBe(keeps);
  }
});

test("what was refused before anything was changed is heard of by nobody", async () => {
  const files = { ...booted, [unit]: `${own}Environment=HEDDLE_STATE=/var/lib/heddle\n` };
  const host = hostOf({ files });
  const services = await MachineServices.find(host, stateFolder("/var/lib/heddle"));
  const refused = services?.around(
    () => Promise.reject(new Error("that token is spent")),
    () => true,
  );
  await expect(refused).rejects.toThrow("that token is spent");
  expect(await host.files.stat("/run/heddle.changing")).toBeNull();
});
