/**
 * Takes what tells of people out of JSON bodies of requests, and out of events of answers: e-mail addresses, telephone numbers, card
 * numbers (by their check digit), IBANs (by theirs), and whatever stands in members of the names given. Each becomes a word: `[email]`.
 *
 * ```yaml
 * policies:
 * - use: pii-redact
 *   with: {find: [email, card], members: [ssn, date_of_birth]}
 * ```
 *
 * Names of members are redacted as texts are; card numbers also where they are numbers. A body that it cannot read (no JSON, compressed, more than 64 KiB) is
 * refused with 415 or 413, unless `unread: allow`. What is cut in two by two events is not found, and answers that are no events of a
 * stream go on as they are. Phone numbers are those that begin with `+`.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

/** In this order: what is one of the first is no longer one of the others. */
const kinds = ["iban", "card", "email", "phone"] as const;
type Kind = (typeof kinds)[number];

/** Each takes time in proportion to the text, whatever that is. */
const patterns: Readonly<Record<Kind, RegExp>> = {
  email: /[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
  phone: /\+\d(?:[ ()/-]{0,2}\d){6,14}/g,
  card: /\d(?:[ -]?\d){11,18}/g,
  iban: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}/g,
};

/** Whether what looks like one is one. */
const proofs: Readonly<Record<Kind, (text: string) => boolean>> = {
  email: () => true,
  phone: () => true,
  card: (text) => hasCheckDigit(text.replace(/\D/g, "")),
  iban: (text) => hasRemainderOne(text.replaceAll(" ", "")),
};

/** Luhn. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at]);
    const twice = digit * 2;
    sum += at % 2 === 0 ? digit : twice > 9 ? twice - 9 : twice;
  }
  return sum % 10 === 0;
}

/** ISO 7064, modulo 97. */
function hasRemainderOne(iban: string): boolean {
  let rest = 0;
  for (const letter of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(letter, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

class Redaction {
  /** Something was taken out. */
  found = 0;

  constructor(
    private readonly find: readonly Kind[],
    private readonly members: ReadonlySet<string>,
  ) {}

  text(text: string): string {
    let left = text;
    for (const kind of kinds.filter((each) => this.find.includes(each)))
      left = left.replace(patterns[kind], (match) => {
        if (!proofs[kind](match)) return match;
        this.found++;
        return `[${kind}]`;
      });
    return left;
  }

  value(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") return this.#number(value);
    if (Array.isArray(value)) return value.map((each) => this.value(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => {
        if (!this.members.has(name.toLowerCase()) || each === null)
          return [this.text(name), this.value(each)];
        this.found++;
        return [name, "[redacted]"];
      }),
    );
  }

  #number(value: number): unknown {
    const before = this.found;
    const text = this.text(String(value));
    return this.found === before ? value : text;
  }
}

/** What an event says: JSON where it is, else a text. */
function withoutPeople(data: string, redaction: Redaction): string {
  const parsed = jsonOf(data);
  if (parsed === undefined) return redaction.text(data);
  const left = redaction.value(parsed);
  return redaction.found === 0 ? data : JSON.stringify(left);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export default definePolicy({
  api: 1,
  name: "pii-redact",
  version: "1.0.0",
  options: v.strictObject({
    find: v.optional(v.array(v.picklist(kinds)), [...kinds]),
    members: v.optional(v.array(v.pipe(v.string(), v.toLowerCase())), []),
    unread: v.optional(v.picklist(["refuse", "allow"]), "refuse"),
  }),
  uses: { requestJson: true },
  limits: { cpu: "20ms" },
  onError: "closed",
  state: ({ members }) => new Set(members),
  onRequest(request, context) {
    const { find, unread } = context.options;
    if (request.unread !== null && unread === "refuse")
      return request.unread === "too long"
        ? respond(413, "its body is too long to be read", "Too large\n")
        : respond(415, `its body cannot be read: ${request.unread}`, "Only JSON, not compressed\n");
    if (request.json === undefined) return next();
    const redaction = new Redaction(find, context.state);
    const json = redaction.value(request.json);
    if (redaction.found === 0) return next();
    context.count("redacted", redaction.found);
    return next({ json });
  },
  onEvent(event, context) {
    const redaction = new Redaction(context.options.find, context.state);
    const data = withoutPeople(event.data, redaction);
    if (redaction.found === 0) return;
    context.count("redacted", redaction.found);
    return { ...event, data };
  },
});
