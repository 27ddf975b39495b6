/** What documents of other meshes become. */
import type { Mutant } from "../mutant.ts";

const hcl = "src/config/convert/hcl_file.ts";
const hclSuites = ["test/unit/config/hcl_test.ts"];

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
];
