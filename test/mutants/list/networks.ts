/** Networks without a route between them: whom gateways pass connections on to, and which gateway is tried. */
import type { Mutant } from "../mutant.ts";

const relays = "src/proxy/state/relays.ts";
const sites = "src/proxy/upstream/sites.ts";
const network = ["test/unit/proxy/networks_test.ts"];
const dials = ["test/unit/proxy/upstream/sites_test.ts"];

export const networks: readonly Mutant[] = [
  {
    fault: "a gateway passes connections on to what says to be on its own machine",
    file: relays,
    find: "return isNearby(found.host) && !isAlone ? null : found;",
    replace: "return found;",
    suites: network,
  },
  {
    fault: "a gateway passes connections on to another gateway, in a circle",
    file: relays,
    find: "!gateways.some((gateway) => isSamePlace(gateway, each))",
    replace: "gateways.length >= 0",
    suites: network,
  },
  {
    fault: "a gateway passes connections on to machines of every network",
    file: relays,
    find: 'const found = relays.get(listener.meshNetwork ?? "")?.get(serverName) ?? null;',
    replace:
      "const found = [...relays.values()].map((each) => each.get(serverName)).find((each) => each) ?? null;",
    suites: network,
  },
  {
    fault: "a gateway that cannot be reached is tried in its turn all the same",
    file: sites,
    find: ".sort((one, other) => one.lameMs - other.lameMs)",
    replace: "",
    suites: dials,
  },
  {
    fault: "a gateway is blamed for the machine behind it",
    file: sites,
    find: "if (!notReached.has(error.kind)) return;",
    replace: "",
    suites: dials,
  },
  {
    fault: "all gateways of a network are tried for one connection, however many",
    file: sites,
    find: ".slice(0, limits.networkGatewaysTriedMax)",
    replace: "",
    suites: dials,
  },
  {
    fault: "machines of another network are dialled straight",
    file: "src/proxy/state/site_of.ts",
    find: "network === own)",
    replace: "network !== null)",
    suites: network,
  },
  {
    fault: "machines of a network without gateways are asked for by a name that older proxies do not know",
    file: "src/proxy/state/site_of.ts",
    find: " && gateways.length > 0",
    replace: "",
    suites: network,
  },
  {
    fault: "a gateway calls itself until it has no room left",
    file: relays,
    find: "if (isSamePlace(found, { host: client, port: listener.port })) return null;",
    replace: "",
    suites: network,
  },
  {
    fault: "a gateway is not known by its address in other letters",
    file: relays,
    find: "isSameHost(one.host, other.host)",
    replace: "one.host === other.host",
    suites: network,
  },
];
