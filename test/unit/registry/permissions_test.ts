import { expect, test } from "bun:test";
import { registryKeys } from "../../../src/api/messages.ts";
import { requireCommittable } from "../../../src/registry/permissions.ts";

test("a controller may take an instance away, and never makes one up", () => {
  const key = `${registryKeys.instances}vm-1/orders.default/8080`;
  expect(() => requireCommittable([{ do: "delete", key }])).not.toThrow();
  expect(() =>
    requireCommittable([
      { do: "put", key: `${registryKeys.nodes}vm-1`, value: "{}" },
      { do: "put", key, value: "{}" },
    ]),
  ).toThrow(`Cannot put ${key}`);
});
