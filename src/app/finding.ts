/** What `heddle check` found about one fact. Codes are stable, so that they can be searched for. */
export interface Finding {
  readonly code: string;
  readonly title: string;
  readonly result: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; null when it is well. */
  readonly cure: string | null;
}

export function ok(code: string, title: string, detail = ""): Finding {
  return { code, title, result: "ok", detail, cure: null };
}

export function warn(code: string, title: string, detail: string, cure: string): Finding {
  return { code, title, result: "warn", detail, cure };
}

export function fail(code: string, title: string, detail: string, cure: string): Finding {
  return { code, title, result: "fail", detail, cure };
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
