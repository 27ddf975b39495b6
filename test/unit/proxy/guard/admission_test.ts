/** Admission: so many at once and no more, and each that leaves makes room for one. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Admission } from "../../../../src/proxy/guard/admission.ts";

test("lets in what fits and refuses the next one, until one leaves", () => {
  const admission = new Admission();
  for (let count = 0; count < limits.requestsMax; count++) expect(admission.enter()).toBe(true);
  expect([admission.enter(), admission.enter()]).toEqual([false, false]);
  admission.leave();
  expect([admission.enter(), admission.enter()]).toEqual([true, false]);
});
