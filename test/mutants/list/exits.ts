/** Services outside of the mesh that are reached by a gateway. */
import type { Mutant } from "../mutant.ts";

const suites = ["test/unit/proxy/exits_test.ts"];
const exchange = "src/proxy/accept/inbound_exchange.ts";

export const exits: readonly Mutant[] = [
  {
    fault: "callers say which host a service outside is asked for",
    file: exchange,
    find: 'return host === "" ? request : changed(request, { authority: host });',
    replace: "return host === null ? changed(request, {}) : request;",
    suites,
  },
  {
    fault: "a gateway shows the certificate of nobody for a service outside",
    file: "src/proxy/state/exits.ts",
    find: ", shows: serviceKey(gateway) }",
    replace: ", shows: `no ${serviceKey(gateway)}` }",
    suites,
  },
];
