/** How the modes reach one another. */
import type { Mutant } from "../mutant.ts";

const severalServers = ["test/unit/api/several_servers_test.ts"];

export const control: readonly Mutant[] = [
  {
    fault: "an address that cannot be reached stays the first to be tried",
    file: "src/api/server_list.ts",
    find: "known.awayUntilMs = this.clock.now() + known.backoff.nextMs();",
    replace: "known.backoff.nextMs();",
    suites: ["test/unit/api/server_list_test.ts"],
  },
  {
    fault: "the first address is the only one that is tried",
    file: "src/api/control_client.ts",
    find: "        failures.push(error);\n",
    replace: "        throw error;\n",
    suites: severalServers,
  },
  {
    fault: "a control plane is believed whoever it is",
    file: "src/api/control_client.ts",
    find: "return this.options.expect(id) ? null : `it is ${id}`;",
    replace: 'return id === "" ? "nobody" : null;',
    suites: severalServers,
  },
];
