/** `priority` of a service or of the mesh: whose requests matter less. */
import * as v from "valibot";
import { priorities } from "../../model/priority.ts";
import { serviceKey } from "../../model/service.ts";
import { object, resolveService, said, serviceName } from "../fields.ts";
import { record } from "../record.ts";
import type { TrafficPart } from "./traffic_part.ts";

const form = "critical, default, sheddable or background";

/** How much requests matter when not all can be served. */
export const priorityName = v.picklist(priorities, form);

const schema = object({
  callers: v.optional(
    said(
      record(serviceName, priorityName),
      "By calling service: none of its requests matters more, whatever its route says",
    ),
  ),
});

export const priority: TrafficPart<"priority", typeof schema> = {
  schema,
  words: "How much the requests of callers matter when not all can be served: what matters least goes first",
  expand({ callers }, namespace) {
    if (callers === undefined) return {};
    const own = Object.entries(callers).map(([name, each]) => [
      serviceKey(resolveService(name, namespace)),
      each,
    ]);
    return { callers: Object.fromEntries(own) };
  },
};
