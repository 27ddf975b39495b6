/** What the compiled binary tells a service manager that started it, mode by mode. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning } from "../support/command.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { testMs } from "../support/patience.ts";
import { waitFor, type Program } from "../support/processes.ts";

const host = addressOf(0);

describe.skipIf(binaryMissing)("a service manager", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-notify-`);
  const state = `${folder}/state`;
  const open: { readonly manager: NotifySocket; readonly program: Program }[] = [];
  beforeAll(() => {
    const at = ["--node", "vm-1", "--address", host, "--loopback", host];
    const said = heddle(["init", "--trust-domain", "corp.example", "--no-start", ...at], { state });
    expect(said).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    for (const { manager, program } of open) {
      await program.stop();
      manager.close();
    }
    rmSync(folder, { recursive: true });
  });

  /** A mode that a manager started, and all that it told since. */
  function start(mode: string) {
    const manager = new NotifySocket(`${folder}/${mode}`);
    const env = { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "400000" };
    const program = heddleRunning([mode], `${folder}/${mode}.log`, { state, env });
    open.push({ manager, program });
    const lines: string[] = [];
    const told = (): readonly string[] => {
      lines.push(...manager.received().flatMap((datagram) => datagram.split("\n")));
      return lines;
    };
    const until = (line: string | RegExp) =>
      waitFor(`${mode} tells ${line}`, () => told().find((each) => matches(each, line)) ?? null, { program });
    return { program, told, until };
  }

  const matches = (line: string, wanted: string | RegExp): boolean =>
    typeof wanted === "string" ? line === wanted : wanted.test(line);

  test(
    "hears of each mode when it serves, not before, that it lives, how it stands, and that it ends",
    async () => {
      const proxy = start("proxy");
      await proxy.until("STATUS=waiting for the first configuration from the controller");
      const controller = start("controller");
      await controller.until("STATUS=waiting for the registry");
      expect([...proxy.told(), ...controller.told()]).not.toContain("READY=1");

      const registry = start("registry");
      await registry.until("READY=1");
      await registry.until(/^STATUS=serving corp\.example, revision \d+$/);
      await controller.until("READY=1");
      await controller.until("STATUS=serving corp.example, machines: 1");
      await proxy.until("READY=1");
      await proxy.until(
        /^STATUS=serving 0 services of vm-1, config [0-9a-f]{8}, identity \d+ h \d+ min left$/,
      );

      const pings = () => proxy.told().filter((line) => line === "WATCHDOG=1").length;
      const before = pings();
      await waitFor("more words of life", () => (pings() > before + 3 ? true : null), proxy);

      for (const { program } of [proxy, controller, registry]) {
        program.kill("SIGHUP");
        await waitFor("it says what it read", () => (program.output().includes("SIGHUP: ") ? true : null), {
          program,
        });
        expect(program.ended).toBeNull();
      }
      for (const mode of [proxy, controller, registry]) {
        expect(mode.told()).not.toContain("STOPPING=1");
        mode.program.kill("SIGTERM");
        await mode.until("STOPPING=1");
        await mode.until(/^EXTEND_TIMEOUT_USEC=\d+$/);
        await mode.program.exited;
        const { told } = mode;
        expect(told().findIndex((line) => line.startsWith("EXTEND"))).toBeGreaterThan(
          told().indexOf("STOPPING=1"),
        );
      }
    },
    testMs,
  );
});
