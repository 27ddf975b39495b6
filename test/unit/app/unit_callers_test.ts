/** As whom a connection of this machine counts, by the unit that made it and the listener that it came by. */
import { describe, expect, test } from "bun:test";
import { readMachine } from "../../../src/app/machine_document.ts";
import { attachedIn, decideCaller, type Maker } from "../../../src/app/unit_callers.ts";
import { serviceKey } from "../../../src/model/service.ts";

const unitAt = (unit: string): Maker => ({ path: `/system.slice/${unit}`, unit, keeper: false });
const login: Maker = {
  path: "/user.slice/user-0.slice/session-3.scope",
  unit: "session-3.scope",
  keeper: true,
};
const stranger: Maker = { ...login, keeper: false };
const nowhere: Maker = { path: null, unit: null, keeper: false };

interface Case {
  readonly document: string;
  /** null: a virtual address. */
  readonly owner?: string;
  readonly maker: Maker | null;
}

/** The service, or why there is none. */
function decided({ document, owner, maker }: Case): string {
  const machine = readMachine({ file: "machine.yaml", text: `{kind: Machine, ${document}}` });
  const attached = attachedIn(machine);
  const named = owner === undefined ? null : { name: owner, namespace: "default" };
  const told = decideCaller({ machine, attached, owner: named, maker });
  return told.service === null ? told.refusal.detail : serviceKey(told.service);
}

const web = "{service: web, port: 81, unit: web.service}";
const mail = "{service: mail, port: 82, unit: mail.service}";
const one = `services: [${web}]`;
const two = `services: [${web}, ${mail}]`;
const mixed = `services: [${web}, {service: shop, port: 83}]`;

describe("an attached unit", () => {
  test.each([
    [{ document: two, maker: unitAt("mail.service") }, "mail.default"],
    [{ document: two, owner: "web", maker: unitAt("mail.service") }, "mail.default"],
    [{ document: mixed, owner: "shop", maker: unitAt("web.service") }, "web.default"],
    [{ document: `caller: web, ${two}`, maker: unitAt("mail.service") }, "mail.default"],
    [
      { document: `${one}, callers: [{unit: job.service, service: job.prod}]`, maker: unitAt("job.service") },
      "job.prod",
    ],
  ])("acts as its own service: %#", (given: Case, expected) => expect(decided(given)).toBe(expected));

  test("that is several services acts as the one whose listener it uses, or that the document names, and else as none", () => {
    const document =
      "services: [{service: a, port: 81, unit: x.service}, {service: b, port: 82, unit: x.service}]";
    const maker = unitAt("x.service");
    expect(decided({ document, owner: "b", maker })).toBe("b.default");
    expect(decided({ document: `caller: a, ${document}`, maker })).toBe("a.default");
    expect(decided({ document, maker })).toContain(
      "x.service is a.default, b.default, and nothing says which",
    );
  });
});

describe("whoever is no attached unit", () => {
  test.each([
    ["at a virtual address", undefined],
    ["at the listener of a service that is a unit's", "web"],
  ])("is refused %s, with what to do", (_, owner) => {
    const at = owner === undefined ? {} : { owner };
    const said = (maker: Maker | null): string => decided({ document: one, ...at, maker });
    expect(said(unitAt("cron.service"))).toContain(
      "cron.service is not attached, so it has no identity: heddle attach cron.service",
    );
    expect(said(stranger)).toContain("who calls is no unit that is attached (session-3.scope)");
    for (const maker of [null, nowhere]) expect(said(maker)).toContain("which unit calls cannot be told");
  });

  test("acts as the service that the document names, at its listener and at virtual addresses alone", () => {
    const document = `caller: web, ${two}`;
    for (const maker of [unitAt("cron.service"), stranger, null]) {
      expect(decided({ document, maker })).toBe("web.default");
      expect(decided({ document, owner: "web", maker })).toBe("web.default");
      expect(decided({ document, owner: "mail", maker })).toContain("no identity");
    }
  });

  test("acts as a service that runs outside of units too at the listener of that", () => {
    for (const maker of [unitAt("cron.service"), stranger, null])
      expect(decided({ document: mixed, owner: "shop", maker })).toBe("shop.default");
    const alike = "services: [{service: web, port: 81, unit: web.service}, {service: web, port: 82}]";
    expect(decided({ document: alike, owner: "web", maker: stranger })).toBe("web.default");
  });
});

describe("root's login", () => {
  test("acts as the one service of the machine, and as the service of each listener", () => {
    expect(decided({ document: one, maker: login })).toBe("web.default");
    expect(decided({ document: `${one}, callers: [{unit: job.service, service: job}]`, maker: login })).toBe(
      "web.default",
    );
    expect(decided({ document: two, owner: "mail", maker: login })).toBe("mail.default");
  });

  test("is not guessed to be one of several", () => {
    expect(decided({ document: two, maker: login })).toContain("several services run on this machine");
    expect(decided({ document: `caller: mail, ${two}`, maker: login })).toBe("mail.default");
  });
});
