/** What documents of other meshes become. */
import type { Mutant } from "../mutant.ts";

const hcl = "src/config/convert/hcl_file.ts";
const hclSuites = ["test/unit/config/hcl_test.ts"];

const gateways = "src/config/convert/gateway_drafts.ts";
const virtualService = "src/config/convert/istio_connections.ts";
const gatewaySuites = ["test/unit/config/convert_gateways_test.ts"];

export const convert: readonly Mutant[] = [
  {
    fault: "of two values of a key of HCL the later one counts in silence",
    file: hcl,
    find: "  if (fields.has(text)) throw twice(text, offset);\n",
    replace: "",
    suites: hclSuites,
  },
  {
    fault: "of several blocks of HCL the last one counts",
    file: hcl,
    find: "  if (known === undefined) fields.set(text, { key: offset, form, node: block });",
    replace: '  if (known?.node.kind !== "list") fields.set(text, { key: offset, form, node: block });',
    suites: hclSuites,
  },
  {
    fault: "mappings of HCL nest as deep as the stack is",
    file: hcl,
    find: "    if (depth > limits.documentDepthMax)\n      throw new HclFault(offset, `this is nested more than ${limits.documentDepthMax} deep`);\n    const made",
    replace: "    const made",
    suites: hclSuites,
  },
  {
    fault: "requests of a host with routes of its own go by those of all hosts",
    file: gateways,
    find: "const ends = this.#fallsThrough(owner)",
    replace: "const ends = this.#fallsThrough(owner) && rules.length > 99",
    suites: gatewaySuites,
  },
  {
    fault: "matches for one gateway of Istio are for all",
    file: virtualService,
    find: "return own.length === 0 || own.includes(parent);",
    replace: "return own.length >= 0 || own.includes(parent);",
    suites: gatewaySuites,
  },
  {
    fault: "what a gateway of Consul passes on does not go by the router of the service",
    file: "src/config/convert/consul_chains.ts",
    find: "if (router !== undefined) return this.#rules(router, namespace);",
    replace: "",
    suites: gatewaySuites,
  },
  {
    fault: "a document about who may call is refused without word of it where its kind is written otherwise",
    file: "src/config/convert/convert.ts",
    find: 'accessKinds.has(kind.replaceAll(/[_-]/g, "").toLowerCase())',
    replace: "accessKinds.has(kind.toLowerCase())",
    suites: ["test/unit/config/convert_test.ts"],
  },
  {
    fault: "of a field that stands in two ways one is left out",
    file: "src/config/convert/consul_entry.ts",
    find: "if (other !== undefined)",
    replace: "if (other === name + name)",
    suites: ["test/unit/config/convert_test.ts"],
  },
];
