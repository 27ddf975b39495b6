/** Ports that units want, read from what is enabled. */
import { expect, test } from "bun:test";
import { UnitPorts } from "../../../src/app/unit_ports.ts";

const wants = (target: string): string => `/etc/systemd/system/${target}.target.wants`;

function machineOf(units: Readonly<Record<string, string>>, booted = true) {
  let reads = 0;
  const state = { units: { ...units }, changedMs: 1 };
  const files = {
    stat: async (path: string) => {
      const found = path.startsWith("/run/") ? booted : true;
      const known = { size: 0, folder: true, mode: 0o755, owner: 0, inode: 0 };
      return found ? { ...known, modifiedMs: state.changedMs } : null;
    },
    list: async (path: string) => {
      reads++;
      return Object.keys(state.units)
        .filter((each) => each.startsWith(`${path}/`))
        .map((each) => each.slice(path.length + 1));
    },
    read: async (path: string) => {
      const text = state.units[path];
      if (text === "unreadable") throw new Error("EACCES");
      return text === undefined ? null : new TextEncoder().encode(text);
    },
  };
  return { ports: new UnitPorts({ ...files, watch: () => ({ close() {} }) }), state, reads: () => reads };
}

test("socket units say their ports of all addresses, and known servers have theirs", async () => {
  const { ports } = machineOf({
    [`${wants("sockets")}/cockpit.socket`]:
      "[Socket]\nListenStream=9090\nListenStream=127.0.0.1:91\nListenStream=/run/x\n ListenStream = [::]:92\n",
    [`${wants("sockets")}/broken.socket`]: "unreadable",
    [`${wants("multi-user")}/nginx.service`]: "[Service]\n",
    [`${wants("multi-user")}/mine.service`]: "[Service]\n",
  });
  expect(Object.fromEntries(await ports.look())).toEqual({
    80: "nginx.service",
    92: "cockpit.socket",
    9090: "cockpit.socket",
  });
});

test("nothing is read again until something is enabled or disabled", async () => {
  const { ports, state, reads } = machineOf({ [`${wants("multi-user")}/nginx.service`]: "" });
  await ports.look();
  const once = reads();
  await ports.look();
  expect(reads()).toBe(once);
  state.units = {};
  state.changedMs = 2;
  expect((await ports.look()).size).toBe(0);
});

test("units of a machine that systemd does not run start nothing", async () => {
  const { ports } = machineOf({ [`${wants("multi-user")}/nginx.service`]: "" }, false);
  expect((await ports.look()).size).toBe(0);
});
