/** `heddle get traffic NAME --effective`: each value, and where it comes from. */
import { describe, expect, test } from "bun:test";
import { trafficInForce } from "../../../src/cli/traffic_in_force.ts";

const stored = [
  "{kind: Service, name: web, port: 80}",
  "{kind: Service, name: web, namespace: prod, port: 80}",
  "{kind: Traffic, name: calm, service: web, circuitBreaking: {failures: 3, penalty: 1500ms}}",
  "{kind: Mesh, name: mesh, traffic: {circuitBreaking: {failures: 7, answers: 9}}}",
].map((text) => ({ kind: "", namespace: "", name: "x", text, revision: 1 }));

const said = (name: string): string[] =>
  trafficInForce(stored, name)
    .filter(({ field }) => field.startsWith("circuitBreaking."))
    .map(({ field, value, from }) => `${field} ${value} ${from}`);

describe("the traffic of a service", () => {
  test("is what its document says, then what the mesh says, then the defaults", () => {
    const expected = [
      "circuitBreaking.failures 3 Traffic calm.default",
      "circuitBreaking.successPercent 80 default",
      "circuitBreaking.window 10s default",
      "circuitBreaking.answers 9 Mesh mesh.default",
      "circuitBreaking.penalty 1s500ms Traffic calm.default",
      "circuitBreaking.penaltyMax 1m default",
      "circuitBreaking.ejectedPercent 50 default",
    ];
    for (const name of ["web", "web.default"])
      expect(said(name).filter((each) => each.startsWith("circuitBreaking."))).toEqual(expected);
  });

  test("is what the mesh says, and the defaults, where no document is about it", () => {
    const written = said("web.prod").filter((each) => !each.endsWith(" default"));
    expect(written).toEqual([
      "circuitBreaking.failures 7 Mesh mesh.default",
      "circuitBreaking.answers 9 Mesh mesh.default",
    ]);
  });

  test("has rates as a document writes them", () => {
    const rates = "{total: 600/m, identity: {rate: 5/s, burst: 9}, overrides: {api: 1/s}}";
    const text = `{kind: Traffic, name: calm, service: web, rateLimit: ${rates}}`;
    const shown = trafficInForce([...stored.slice(0, 1), { ...stored[2], text } as never], "web");
    expect(shown.filter(({ field }) => field.startsWith("rateLimit.")).map(({ value }) => value)).toEqual([
      "none",
      "10/s",
      "5/s, 9 at once",
      '{"api.default":"1/s"}',
      "[]",
    ]);
  });

  test("is what the Service says itself, under its Traffic and over the mesh", () => {
    const service = "{kind: Service, name: api, port: 80, balance: least-request}";
    const mesh = "{kind: Mesh, name: mesh, traffic: {balance: {strategy: random, slowStart: 1m}}}";
    const inForce = (...texts: string[]): string[] =>
      trafficInForce(
        texts.map((text) => ({ kind: "", namespace: "", name: "x", text, revision: 1 })),
        "api",
      )
        .filter(({ field }) => field.startsWith("balance.s"))
        .map(({ field, value, from }) => `${field} ${value} ${from}`);
    expect(inForce(service, mesh).slice(0, 2)).toEqual([
      "balance.strategy least-request Service api.default",
      "balance.slowStart 1m Mesh mesh.default",
    ]);
    const own = "{kind: Traffic, name: own, service: api, balance: {strategy: round-robin}}";
    expect(inForce(service, mesh, own)[0]).toBe("balance.strategy round-robin Traffic own.default");
  });

  test("is none where there is no such service", () => {
    expect(() => said("gone")).toThrow("There is no Service gone.default");
  });
});
