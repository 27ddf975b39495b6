/**
 * Whole client connections through both HTTP/1 drivers: whatever a client sends, in any pieces, the backend sees the same
 * well-formed requests, and the client as many answers.
 */
import { bytesOf, textOf } from "../../support/wire.ts";
import { expectSound } from "../sound_request.ts";
import { someCuts } from "../splits.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";
import { Relays } from "../relay.ts";
import { bodyWords, headWords, requestSeeds, soundSeeds } from "./h1_words.ts";

const relays = new Relays();

export const h1Relay: FuzzTarget = {
  name: "h1-relay",
  words: [...headWords, ...bodyWords],
  bytesMax: 6_000,
  inputMs: 100,
  seeds: () => [...requestSeeds, ...soundSeeds].map(bytesOf),
  check(input, random) {
    const text = textOf(input);
    const whole = relays.fromClient([text]);
    const cut = relays.fromClient(someCuts(text, random));
    mustEqual(JSON.stringify(cut), JSON.stringify(whole), "a split changes what passes");
    for (const request of whole.requests) expectSound(request);
    const passed = whole.answers.filter((answer) => answer.status === 200).length;
    must(passed === whole.requests.length, `${whole.requests.length} requests have ${passed} answers`);
    must(whole.unread === "", `the backend cannot read ${JSON.stringify(whole.unread)}`);
    must(whole.rest === "" || whole.end === "reset", `the client cannot read ${JSON.stringify(whole.rest)}`);
    return `${whole.answers.map((each) => each.status).join()} ${whole.end} ${whole.requests.map((each) => magnitude(each.body.length)).join()}`;
  },
};
