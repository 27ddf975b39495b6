/** Whole backend connections: whatever a backend says, in any pieces, a client sees the same, and a clean end only of what was whole. */
import { bytesOf, textOf } from "../../support/wire.ts";
import { readMessage } from "../../conformance/http1/message.ts";
import { failedField, Relays } from "../relay.ts";
import { someCuts } from "../splits.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";
import { answerSeeds, bodyWords, headWords } from "./h1_words.ts";

const relays = new Relays();

export const h1Answers: FuzzTarget = {
  name: "h1-answers",
  words: [...headWords, ...bodyWords],
  bytesMax: 6_000,
  inputMs: 100,
  seeds: () => answerSeeds.map(bytesOf),
  check(input, random) {
    const text = textOf(input);
    const whole = relays.fromBackend([text]);
    const cut = relays.fromBackend(someCuts(text, random));
    mustEqual(JSON.stringify(cut), JSON.stringify(whole), "a split changes what a client sees");
    const last = whole.answers.at(-1);
    const word = `${whole.answers.map((each) => each.status).join()} ${whole.end} ${magnitude(last?.body.length ?? -1)}`;
    if (last === undefined || last.status < 200 || last.fields.includes(`${failedField}: yes`)) return word;
    const said = firstAnswer(text);
    must(said !== null, `the client sees an answer that the backend did not give: ${JSON.stringify(last)}`);
    mustEqual(`${last.status} ${last.body}`, said ?? "", "the client sees another answer");
    return word;
  },
};

/** By the second reading; extensions and comments of chunks, which it does not know, are taken out. */
function firstAnswer(text: string): string | null {
  for (let at = 0; ;) {
    const read = readMessage(text, at, { method: "GET", ended: true, extensions: true });
    if (typeof read === "string") return null;
    if (read.status >= 200) return `${read.status} ${read.body}`;
    at = read.end;
  }
}
