/** Which model a request asks for, and where that leads. */
import type { Mutant } from "../mutant.ts";

const scan = "src/inference/request_scan.ts";
const asked = "src/proxy/prompt/asked_model.ts";
const routed = ["test/unit/proxy/models_test.ts"];
const listed = ["test/unit/proxy/model_lists_test.ts"];

export const models: readonly Mutant[] = [
  {
    fault: "a model in other letters is none",
    file: scan,
    find: 'if (this.#key.toLowerCase() !== "model") return;',
    replace: 'if (this.#key !== "model") return;',
    suites: routed,
  },
  {
    fault: "the second of two models counts",
    file: scan,
    find: 'this.twice ||= this.#named || this.#key !== "model";',
    replace: 'this.twice ||= this.#key !== "model";',
    suites: routed,
  },
  {
    fault: "a second model behind what is held goes on to the engine",
    file: asked,
    find: "if (this.#told || again === end - start) return;",
    replace: "return;",
    suites: routed,
  },
  {
    fault: "what is held for models has a bound for each alone",
    file: "src/proxy/prompt/prompt_reader.ts",
    find: "return room.added(end - start) <= limits.modelsHeldBytesMax;",
    replace: "return room.added(end - start) > 0;",
    suites: routed,
  },
  {
    fault: "a list has models that no route leads to",
    file: "src/proxy/listed_models.ts",
    find: "lists[at] = all.filter(({ id }) => leadsTo(routeOf(listing, id), id, key));",
    replace: "lists[at] = all;",
    suites: routed,
  },
  {
    fault: "a fallback gets what was written for the backend before it",
    file: "src/proxy/prompted_call.ts",
    find: "    this.leaving.changes = fallbacks.leaving;\n",
    replace: "",
    suites: routed,
  },
  {
    fault: "a fallback is asked what may act twice",
    file: "src/proxy/prompted_call.ts",
    find: '(repeat === "yes" || repeatable)',
    replace: "(repeat !== null || repeatable)",
    suites: routed,
  },
  {
    fault: "services that no call of who asks for a list may lead to get its credentials",
    file: "src/proxy/listed_models.ts",
    find: "if (!questions(listing, model?.value ?? null).some((each) => matcher.fits(each, listing.callerId)))",
    replace: "if (questions(listing, model?.value ?? null).length === 0)",
    suites: listed,
  },
  {
    fault: "a service may say times that are no dates",
    file: "src/proxy/prompt/model_list.ts",
    find: "Math.abs(seconds) <= secondsMax",
    replace: "Number.isFinite(seconds)",
    suites: listed,
  },
  {
    fault: "a field of the head names the model of a body that nobody reads",
    file: "src/proxy/prompted_call.ts",
    find: "if (readsModels && request.contentLength === 0) this.model",
    replace: "if (readsModels) this.model",
    suites: routed,
  },
  {
    fault: "a fallback gets the length of a body with a name that it does not get",
    file: "src/proxy/rewrite/leaving.ts",
    find: "if (this.#writtenBytes !== null && this.#writtenBytes >= 0) this.bodyBytes = this.#writtenBytes;",
    replace: "",
    suites: routed,
  },
];
