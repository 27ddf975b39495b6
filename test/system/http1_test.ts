/**
 * HTTP/1.1 through the compiled binary on real sockets, over one hop and over two with mTLS between: every case whole and
 * octet by octet, with the same verdict.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { cases } from "../conformance/http1/cases.ts";
import { startHeddleSubject, type StartedSubject } from "../conformance/http1/heddle_subject.ts";
import { bytewise, talk, whole } from "../conformance/http1/talk.ts";
import { problemsOf } from "../conformance/http1/verdict.ts";

for (const where of ["near", "far"] as const)
  describe.skipIf(binaryMissing)(`the binary speaks HTTP/1.1 to a service that is ${where}`, () => {
    let subject: StartedSubject;
    beforeAll(async () => void (subject = await startHeddleSubject(where)), 60_000);
    afterAll(async () => await subject?.stop());

    for (const one of cases)
      test(`${one.id}: ${one.what}`, async () => {
        expect(problemsOf(one, await talk(subject, one, whole))).toEqual([]);
        expect(problemsOf(one, await talk(subject, one, bytewise))).toEqual([]);
      });
  });
