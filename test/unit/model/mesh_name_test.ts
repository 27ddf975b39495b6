/** The line of a service in a snapshot. */
import { expect, test } from "bun:test";
import { meshNameLine, readMeshName } from "../../../src/model/mesh_name.ts";

test("a line is read as it was written, and what is none is left out", () => {
  const name = {
    service: { name: "orders", namespace: "prod" },
    address: "127.100.3.4",
    port: 80,
    protocol: "grpc",
  } as const;
  expect(meshNameLine(name)).toBe("orders.prod 127.100.3.4:80 grpc");
  expect(readMeshName(meshNameLine(name))).toEqual(name);
  for (const line of [
    "",
    "orders 127.100.3.4:80 grpc",
    "orders.prod 10.0.0.1:80 grpc",
    "orders.prod 127.100.3.4:80",
  ])
    expect(readMeshName(line)).toBeNull();
});
