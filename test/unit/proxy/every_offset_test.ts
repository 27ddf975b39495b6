/**
 * An app that resets, ends or goes silent at each byte of its answer and of the request, in HTTP/1.1, HTTP/2 and gRPC: the apps count
 * what they were sent, and nothing hangs, nothing is sent twice that must not happen twice, and no half answer is taken for a whole one.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Cut, Stop } from "../../support/cut_app.ts";
import { CutScene, said, speeches, type Speech } from "../../support/cut_scene.ts";
import type { Heard } from "../../support/http_relay.ts";
import { sampleOf } from "../../support/quick.ts";

/** What is wrong with how it went; null: nothing. */
function wrongWith(
  { heard, begun }: { readonly heard: Heard; readonly begun: number },
  most: number,
): string | null {
  if (!heard.over) return "it hangs";
  if (begun > most) return `apps met it ${begun} times`;
  const status = heard.answer?.status;
  const grpc = heard.trailers?.find(([name]) => name === "grpc-status")?.[1];
  const isGood =
    heard.ended &&
    status === 200 &&
    (grpc === undefined ? heard.answer?.fields.get("grpc-status") === null : grpc === "0");
  return isGood && heard.body !== said ? `half an answer passed for a whole one: ${heard.body}` : null;
}

/** Each byte of the answer; of the request each of its last, and some of its head, which comes in one piece. */
function cutsOf(speech: Speech, by: Stop, requestLength: number): readonly Cut[] {
  const answers = Array.from({ length: speech.app.answer.length }, (_, after) => after);
  const requests = Array.from({ length: requestLength + 1 }, (_, after) => after).filter(
    (after) => after % 16 === 0 || after > requestLength - 2 * said.length,
  );
  const cuts = [
    ...answers.map((after): Cut => ({ of: "answer", after, by })),
    ...requests.map((after): Cut => ({ of: "request", after, by })),
  ];
  return sampleOf(cuts, 16);
}

const stops: readonly Stop[] = ["reset", "end", "silence"];

const scenes = Object.entries(speeches).flatMap(([name, speech]) =>
  [false, true].map((here) => ({ name, speech, here })),
);

for (const { name, speech, here } of scenes)
  describe(`${name}, apps on ${here ? "the caller's machine" : "other machines"}`, () => {
    let scene: CutScene;
    beforeAll(async () => void (scene = await new CutScene(speech, here).start()));

    test("passes whole where nothing is wrong", async () => {
      const { heard, begun } = await scene.call("POST", null);
      expect([heard.body, begun, wrongWith({ heard, begun }, 1)]).toEqual([said, 1, null]);
    });

    for (const by of stops)
      for (const [method, most] of [
        ["POST", 1],
        ["GET", 2],
      ] as const) {
        if (speech.grpc && method === "GET") continue;
        test(`${method}: ${by} at every byte`, async () => {
          const wrong: string[] = [];
          let again = 0;
          for (const cut of cutsOf(speech, by, 320)) {
            const seen = await scene.call(method, cut);
            const problem = wrongWith(seen, most);
            if (problem !== null) wrong.push(`${cut.of} ${cut.after}: ${problem}`);
            again += seen.begun - 1;
          }
          expect(wrong).toEqual([]);
          // What may happen twice was sent again somewhere: else nothing is proved of what may not.
          expect(again > 0).toBe(most === 2 && by !== "silence");
        });
      }
  });
