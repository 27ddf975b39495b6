/** Names that are heddle's alone, and what poses as them. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { heddleFields } from "../../../src/proxy/fields/heddle_fields.ts";
import { isOwnName } from "../../../src/wire/own_names.ts";
import { fieldsOf } from "../../support/wire.ts";

const own = [
  ...[
    "x-heddle-caller",
    "X-HEDDLE-ERROR",
    "x_heddle_caller",
    "X-Heddle_Repeat",
    "x_heddle-anything",
    "x-heddle-",
  ],
  ...["x-forwarded-client-cert", "X_Forwarded_Client_Cert", "x-forwarded-client_cert"],
  ...["x_forwarded_for", "x-forwarded_proto", "x_request_id", "X-Request_Id"],
];
const foreign = [
  ...["x-heddle", "x-heddler", "heddle-caller", "ax-heddle-caller", "x", "", "other_name"],
  ...["x-forwarded-for", "x-forwarded-client-certificate", "x-request-id", "x-request-ids", "x_request_ids"],
];

test("are told in any case, and with an underscore for any dash", () => {
  expect(own.filter((name) => !isOwnName(name))).toEqual([]);
  expect(foreign.filter(isOwnName)).toEqual([]);
});

test("are found in a head by the same rule", () => {
  const names = [...own, ...foreign.filter((name) => name !== "")];
  const found = heddleFields(fieldsOf(...names.map((name) => `${name}: 1`)));
  expect(found).toEqual(own.map((name) => name.toLowerCase()));
  expect(heddleFields(fieldsOf("a: 1", "x-a: 1"))).toBeNull();
});

test("whatever reads like one of them to CGI is one of them", () => {
  const letter = fc.constantFrom(..."x-_hedlXHEDLforwac");
  const prefix = fc.constantFrom("x-heddle-", "x_heddle_", "X-Heddle_", "x-forwarded-client-cert", "x_");
  fc.assert(
    fc.property(prefix, fc.string({ unit: letter, maxLength: 24 }), (start, rest) => {
      const name = start + rest;
      const read = name.toUpperCase().replaceAll("-", "_");
      if (read.startsWith("X_HEDDLE_") || read === "X_FORWARDED_CLIENT_CERT")
        expect(isOwnName(name)).toBe(true);
    }),
  );
});
