/**
 * Which model a request asks for, where routes go by that: what its body says, of which whoever gets it must read the same; or a field of
 * its head, where the body is so long that its model had not come when no more of it could be held.
 */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { RequestScan } from "../../inference/request_scan.ts";

/** By the key of the service. */
export const modelOutcomes = {
  /** Compressed, or of another media type than JSON. */
  unreadable(service: string): Outcome {
    const detail = `routes of ${service} go by the model, so prompts must be JSON (content-type: application/json) without compression`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 415, detail };
  },

  ambiguous(service: string): Outcome {
    const detail = `routes of ${service} go by the model, so the body must be one JSON object that has "model" once at most, in these letters, and with a short name`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 400, detail };
  },

  tooLate(service: string): Outcome {
    const detail = `routes of ${service} go by the model, and that did not come within what is held of a body (modelHeldBytesMax): write "model" first, or say it in x-heddle-model`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 413, detail };
  },

  /** It is not too long: others hold what there is room for. */
  crowded(service: string): Outcome {
    const detail = `routes of ${service} go by the model, and too much is held for that already (modelsHeldBytesMax): write "model" first, say it in x-heddle-model, or come again`;
    return { flag: "UO", side: "mesh", repeat: "no", status: 503, detail };
  },

  noneListed(service: string): Outcome {
    const detail = `no service behind the routes of ${service} says which models it has`;
    return { flag: "UH", side: "upstream", repeat: "no", status: 503, detail };
  },

  tooManyLists(): Outcome {
    const detail = `${limits.modelListsMax} lists of models are being gathered already (modelListsMax)`;
    return { flag: "UO", side: "mesh", repeat: "no", status: 503, detail };
  },

  another(service: string): Outcome {
    const detail = `the body asks ${service} for another model than x-heddle-model does`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 400, detail };
  },
} as const;

export interface AskedModel {
  /** null: it asks for none. */
  readonly model: string | null;
}

export interface ReadModel {
  readonly scan: RequestScan;
  /** All of the body has come. */
  readonly ended: boolean;
  /** The field that stands in for what the body has not said yet; null: there is none. */
  readonly field: string | null;
}

/** `unheld`: it had not come when no more could be held. */
export function askedModel({ scan, ended, field }: ReadModel): AskedModel | "unheld" | "ambiguous" {
  const isCut = ended && !scan.over;
  if (scan.twice || scan.modelIsLong || scan.broken || isCut) return "ambiguous";
  if (scan.model !== null || scan.over) return { model: scan.model };
  return field === null ? "unheld" : { model: field };
}

/** Puts that name in place of the one that the body has. null: the body has none. */
export function renaming(
  { model, modelStart, modelEnd }: RequestScan,
  name: string,
): { readonly start: number; readonly end: number; readonly bytes: Uint8Array } | null {
  if (model === null || modelStart < 0) return null;
  return { start: modelStart, end: modelEnd, bytes: new TextEncoder().encode(JSON.stringify(name)) };
}

/** Reads what is not held of a body, on its way: no other model may come in it. */
export class BodyRest {
  #seen: number;
  #told = false;

  constructor(
    readonly scan: RequestScan,
    /** What it was routed by. */
    readonly model: string | null,
    /** Called once, before those bytes go on. */
    private readonly differs: (says: "another" | "ambiguous") => void,
  ) {
    // What was read already comes again first.
    this.#seen = scan.bytes;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const again = Math.min(this.#seen, end - start);
    this.#seen -= again;
    if (this.#told || again === end - start) return;
    this.scan.push(bytes, start + again, end);
    const { twice, modelIsLong, broken, model } = this.scan;
    const isOther = model !== null && model !== this.model;
    if (!twice && !modelIsLong && !broken && !isOther) return;
    this.#told = true;
    this.differs(isOther && !twice ? "another" : "ambiguous");
  }

  end(): void {}
  close(): void {}
}
