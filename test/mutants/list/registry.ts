/** Who runs where, and what was acknowledged. */
import type { Mutant } from "../mutant.ts";

const registration = "src/registry/registration.ts";
const registrations = ["test/unit/registry/registration_test.ts"];

export const registry: readonly Mutant[] = [
  {
    fault: "a service registers instances of another",
    file: registration,
    find: "if (serviceKey(instance.service) !== own)",
    replace: 'if (own === "")',
    suites: registrations,
  },
  {
    fault: "an instance claims any place",
    file: registration,
    find: "if (!instance.id.startsWith(prefix) || ",
    replace: "if (prefix === null || ",
    suites: registrations,
  },
  {
    fault: "a removed machine registers",
    file: registration,
    find: "if (node === null || node.removed)",
    replace: "if (node === null)",
    suites: registrations,
  },
  {
    fault: "a machine registers a service that it may not be",
    file: registration,
    find: "if (!node.services.some((each) => serviceKey(each) === key))",
    replace: "if (key === null)",
    suites: registrations,
  },
  {
    fault: "a controller makes instances up",
    file: "src/registry/permissions.ts",
    find: 'each.do === "put" && each.key.startsWith(registryKeys.instances)',
    replace: "each.key === registryKeys.instances",
    suites: ["test/unit/registry/permissions_test.ts"],
  },
  {
    fault: "a registry that stood still ends every lease",
    file: "src/registry/lease_keeper.ts",
    find: "if (lateMs > limits.leaseStallMs) for (const lease of leases.values()) lease.deadlineMs += lateMs;",
    replace: "",
    suites: ["test/unit/registry/lease_keeper_test.ts"],
  },
  {
    fault: "a lease never ends",
    file: "src/registry/lease_keeper.ts",
    find: "lease.deadlineMs <= this.options.clock.now()",
    replace: "lease.deadlineMs < 0",
    suites: ["test/unit/registry/lease_keeper_test.ts"],
  },
];
