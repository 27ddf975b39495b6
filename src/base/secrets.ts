/**
 * Takes secrets out of what is handed to others: by what a value is called, by the forms that secrets have, and those that are known. Rather
 * too much goes than too little.
 */

/** @visibleForTesting */
export const removed = "[removed]";

const secretName =
  /pass(?:word|wd|phrase)|secret|token|authorization|cookie|api[_-]?key|access[_-]?key|session_?key|private_?key|key_?pem|credential/i;
/** Words that are secrets where they stand alone, as `sig` in a query, and not where they are a part, as in `keyed`. */
const secretWord = /(?:^|[-_.])(?:auth|key|session|sig|signature)(?:$|[-_.])/i;

/** Forms that say by themselves that something is secret, and what is left of them. */
const forms: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, removed],
  [/\bhd1\.[0-9a-f]+\.[\w-]+\.[\w-]+/g, `hd1.${removed}`],
  [/\bAGE-SECRET-KEY-1[A-Z0-9]+/gi, removed],
  // RFC 7519: three parts of base64url, of which the first is a JSON object.
  [/\beyJ[\w-]{4,}\.[\w-]+\.[\w-]*/g, removed],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{4,}/gi, `$1 ${removed}`],
  // RFC 3986, section 3.2.1.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${removed}@`],
  [/\b(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abp])[-_][\w-]{12,}/g, removed],
  [/\bAKIA[0-9A-Z]{16}\b/g, removed],
];

/** The same of a whole value, after the name of its scheme. */
const secretValue =
  /^\s*(?:(?:Bearer|Basic|Digest)\s|(?:[\w-]+\s+)?(?:-----BEGIN |hd1\.[0-9a-f]|AGE-SECRET-KEY-1|eyJ[\w-]{4,}\.[\w-]|(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abp])[-_][\w-]{12}|AKIA[0-9A-Z]{16}))/i;
const addressWithPassword = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/@"']+@/i;

/** `password: x`, `API_KEY=x`, `"token":"x"`, to the end of the value. */
const named = new RegExp(
  `([\\w-]*(?:${secretName.source})[\\w-]*["']?\\s*[:=]\\s*)(\\[removed\\]|"(?:[^"\\\\]|\\\\.)*"|'[^']*'|[^\\s"',;&})\\]]+)`,
  "gi",
);

/** Whether what is called so, a header field or a part of a query, is a secret by that. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) || secretWord.test(name);
}

/** Whether a value, of a header field or of a query, says by its form that it is a secret: looks at where it begins, in linear time. */
export function isSecretValue(value: string): boolean {
  return secretValue.test(value) || addressWithPassword.test(value);
}

/** `known`: texts that are secret wherever they stand. */
export function withoutSecrets(text: string, known: readonly string[] = []): string {
  let left = text;
  for (const [form, instead] of forms) left = left.replace(form, instead);
  left = left.replace(named, (_, name: string) => `${name}${removed}`);
  for (const secret of known) left = left.replaceAll(secret, removed);
  return left;
}

/** The same of values as JSON has them: what is called a secret goes whole, whatever it is. */
export function withoutSecretValues(value: unknown): unknown {
  if (typeof value === "string") return withoutSecrets(value);
  if (Array.isArray(value)) return withoutSecretItems(value);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [, name] = entries.find(([key]) => key === "name") ?? [];
  const isSecret = typeof name === "string" && secretName.test(name);
  return Object.fromEntries(
    entries.map(([key, each]) => [
      key,
      secretName.test(key) || (key === "value" && isSecret) ? removed : withoutSecretValues(each),
    ]),
  );
}

/** Header fields may stand one behind the other: `["authorization", "Bearer …"]`. */
function withoutSecretItems(items: readonly unknown[]): unknown[] {
  return items.map((item, at) => {
    const before = items[at - 1];
    const isValue = typeof item === "string" && typeof before === "string" && secretName.test(before);
    return isValue ? removed : withoutSecretValues(item);
  });
}
