/**
 * Sets, adds and removes header fields of requests and of answers.
 *
 * ```yaml
 * policies:
 * - use: header-edit
 *   with:
 *     request: {set: {x-env: prod}, remove: [x-debug]}
 *     response: {set: {strict-transport-security: max-age=31536000}, remove: [server]}
 * ```
 *
 * Fields that frame a message or say who somebody is cannot be changed.
 */
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";

const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/), v.toLowerCase());
const edit = v.strictObject({
  set: v.optional(v.record(name, v.string()), {}),
  add: v.optional(v.record(name, v.string()), {}),
  remove: v.optional(v.array(name), []),
});

export default definePolicy({
  api: 1,
  name: "header-edit",
  version: "1.0.0",
  options: v.strictObject({ request: v.optional(edit), response: v.optional(edit) }),
  onError: "open",
  onRequest(_request, context) {
    const { request } = context.options;
    return request === undefined ? next() : next({ headers: request });
  },
  onResponse(_response, context) {
    const { response } = context.options;
    return response === undefined ? next() : next({ headers: response });
  },
});
