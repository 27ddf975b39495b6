/** Who calls through a virtual address where nobody can be told. */
import { expect, test } from "bun:test";
import { defaultCaller } from "../../../src/app/unit_callers.ts";
import { readMachine } from "../../../src/app/machine_document.ts";

const callerOf = (services: string, more = ""): string | null =>
  defaultCaller(readMachine({ file: "machine.yaml", text: `kind: Machine\nservices: ${services}\n${more}` }))
    ?.name ?? null;

test("the only service of a machine calls, also with several instances; of several the one that its document names", () => {
  expect(callerOf("[{service: web, port: 81}]")).toBe("web");
  expect(callerOf("[{service: web, ports: [81, 82]}]")).toBe("web");
  expect(callerOf("[{service: web, port: 81}, {service: mail, port: 82}]", "caller: mail\n")).toBe("mail");
});

test("nobody calls where a machine has no service, or several and names none: no identity is guessed", () => {
  expect(callerOf("[]")).toBeNull();
  expect(callerOf("[{service: web, port: 81}, {service: mail, port: 82}]")).toBeNull();
});
