/** What heddle check says of settings that units may not write. */
import { expect, test } from "bun:test";
import { checkSettingsClosed } from "../../../src/app/check_settings.ts";
import type { Settings } from "../../../src/app/settings.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const units = "/etc/systemd/system";
const closedUnit = "[Service]\nReadOnlyPaths=-/var/lib/heddle/heddle.json\n";
const settings: Pick<Settings, "modes"> = { modes: ["registry", "controller", "proxy"] };
const other = "22 1 0:20 / /proc rw,nosuid - proc proc rw\n";
const mount = (path: string, how: string): string =>
  `${other}40 22 254:0 ${path} ${path} ${how} - ext4 /dev/vda rw\n`;

/** `mounts`: of the proxy (process 7) and the registry (process 8); null: it does not run. */
async function check(mounts: readonly (string | null)[], state = "/var/lib/heddle", modes = settings.modes) {
  const files: Record<string, string> = {
    "/run/systemd/system/x": "",
    [`${units}/heddle-proxy.service`]: closedUnit,
    [`${units}/heddle-registry.service`]: closedUnit,
  };
  mounts.forEach((text, at) => {
    if (text !== null) files[`/proc/${7 + at}/mountinfo`] = text;
  });
  const machine = new MemoryMachine(files);
  machine.effects.set("systemctl", (command) => {
    if (command.includes("--version")) return "systemd 252\n";
    const at = command.includes("heddle-proxy.service") ? 0 : 1;
    return `${mounts[at] === null ? 0 : 7 + at}\n`;
  });
  return await checkSettingsClosed(
    { files: machine.files, process: { ...machine.process, user: 0 } } as never,
    stateFolder(state),
    { modes },
  );
}

const file = "/var/lib/heddle/heddle.json";

test("settings that each unit has read-only are well", async () => {
  const [found, ...more] = await check([mount(file, "ro,relatime"), mount(file, "ro,relatime")]);
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    result: "ok",
    detail: `${file} is closed to heddle-proxy.service and heddle-registry.service`,
  });
});

test("a unit whose mount went with the file that was replaced is named, with what mends it", async () => {
  const [found] = await check([other, mount(file, "ro,relatime")]);
  expect(found).toMatchObject({
    ...{ code: "HED0023", result: "warn", cure: "systemctl restart heddle-proxy.service" },
    detail: `${file} was replaced while heddle-proxy.service ran, which can write it until the next start`,
  });
  expect((await check([mount(file, "rw,relatime"), mount(file, "ro")]))[0]?.result).toBe("warn");
});

test("a place with blanks is read as the kernel writes it", async () => {
  const [found] = await check([mount("/srv/my\\040state/heddle.json", "ro"), null], "/srv/my state");
  expect(found?.result).toBe("ok");
});

test("nothing is said where no unit runs, and of a machine without a controller, whose proxy writes them itself", async () => {
  expect(await check([null, null])).toEqual([]);
  expect(await check([other, other], "/var/lib/heddle", ["proxy"])).toEqual([]);
});
