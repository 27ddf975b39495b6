/**
 * What is secret by its name or its form, and so in no recording: values of fields, of header edits, of queries and of options. Each stands there as a word that
 * is the same wherever the value is in this recording, so that what counts by it counts the same, and from which nobody gets it back.
 */
import { createHmac } from "node:crypto";
import { isSecretName, isSecretValue, withoutSecrets as withoutSecretsIn } from "../base/secrets.ts";
import type { Said } from "../policy/heard.ts";

/** What stands instead of a value. */
const wordForm = /^redacted-[0-9a-f]{16}$/;

function isSecret(name: string, value: string): boolean {
  return wordForm.test(value) || isSecretName(name) || isSecretValue(value);
}

/** What is not encoded as it should be stays as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value;
  }
}

export class Redaction {
  /** `salt`: of one recording, and kept nowhere. */
  constructor(private readonly salt: string) {}

  /** name, value, name, value …. */
  fields(flat: readonly string[]): string[] {
    return flat.map((text, at) => (at % 2 === 1 ? this.#text(flat[at - 1] ?? "", text) : text));
  }

  /** Of a document. A policy that needs the secret itself cannot be replayed with these. */
  options(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, this.#value(name, value)]),
    );
  }

  /** What stands inside of something that is called a secret is one, too, whatever it is called itself. */
  #value(name: string, value: unknown): unknown {
    if (typeof value === "string") return this.#text(name, value);
    if (typeof value === "number" && isSecretName(name)) return this.word(String(value));
    if (Array.isArray(value)) return value.map((each) => this.#value(name, each));
    if (typeof value !== "object" || value === null) return value;
    const within = isSecretName(name);
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, this.#value(within ? name : key, each)]),
    );
  }

  /** An address may have a query that holds one. */
  #text(name: string, value: string): string {
    return isSecret(name, value) ? this.word(value) : this.target(value);
  }

  /** A path with its query. */
  target(target: string): string {
    const mark = target.indexOf("?");
    if (mark < 0) return target;
    const pairs = target
      .slice(mark + 1)
      .split("&")
      .map((pair) => {
        const [name = ""] = pair.split("=", 1);
        const value = pair.slice(name.length + 1);
        return value !== "" && isSecret(decoded(name), decoded(value)) ? `${name}=${this.word(value)}` : pair;
      });
    return `${target.slice(0, mark)}?${pairs.join("&")}`;
  }

  /** What a policy said, with the fields and the path that it writes. */
  said(said: Said): Said {
    switch (said.do) {
      case "next":
      case "route": {
        const { edits, target } = said;
        const { set, add } = edits;
        return {
          ...said,
          edits: { ...edits, set: this.fields(set), add: this.fields(add) },
          ...(said.json === undefined ? {} : { json: this.word(said.json) }),
          target: target === null ? null : { ...target, target: this.target(target.target) },
        };
      }
      case "respond": {
        const { headers, body, reason } = said;
        return {
          ...said,
          headers: { ...headers, set: this.fields(headers.set) },
          body: isSecret("", body) ? this.word(body) : body,
          reason: withoutSecretsIn(reason),
        };
      }
      case "failed":
        return { ...said, reason: withoutSecretsIn(said.reason) };
      default:
        return said;
    }
  }

  protected word(value: string): string {
    if (wordForm.test(value)) return value;
    return `redacted-${createHmac("sha256", this.salt).update(value).digest("hex").slice(0, 16)}`;
  }
}

/** Where the salt is not known any more: what is secret is no difference. */
export function withoutSecrets(said: Said): Said {
  return blank.said(said);
}

const blank = new (class extends Redaction {
  protected override word(): string {
    return "";
  }
})("");
