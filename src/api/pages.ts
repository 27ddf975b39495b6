/**
 * Lists that may be of any size, page by page: a page ends before it is too large for its reader, and says where the next
 * one begins. Rows come in the order of their keys, so what comes and goes between two pages moves no other row.
 */
import type { ControlClient } from "./control.ts";
import { limits } from "../model/limits.ts";
import type { PageAnswer } from "./messages.ts";
import { Refusal } from "./problem.ts";

/** Which page is asked for. */
export interface PageQuery {
  /** Rows with keys behind this one; "" for the first page. */
  readonly after: string;
  /** Rows of a page. */
  readonly limit: number;
}

/** `?after=&limit=` of a request. */
export function pageQueryIn(query: (name: string) => string | undefined): PageQuery {
  const limit = query("limit") ?? String(limits.pageRowsMax);
  if (!/^[1-9]\d{0,8}$/.test(limit) || Number(limit) > limits.pageRowsMax)
    throw new Refusal(
      400,
      `Cannot list with limit "${limit}": expected a number from 1 to ${limits.pageRowsMax}`,
    );
  return { after: query("after") ?? "", limit: Number(limit) };
}

/** One page while it is filled. */
export class Page {
  /** Key of the last row that fitted, once one did not. */
  next: string | null = null;
  #last = "";
  #rows = 0;
  #characters = 0;

  constructor(readonly query: PageQuery) {}

  /** As many of these as fit, shown. They come in the order of their keys, and behind those that were added before. */
  add<Item, Row>(items: Iterable<Item>, keyOf: (item: Item) => string, show: (item: Item) => Row): Row[] {
    const rows: Row[] = [];
    if (this.next !== null) return rows;
    for (const item of items) {
      const key = keyOf(item);
      if (key <= this.query.after) continue;
      const row = show(item);
      if (!this.#fits(JSON.stringify(row).length)) {
        this.next = this.#last;
        break;
      }
      this.#last = key;
      rows.push(row);
    }
    return rows;
  }

  /** A page has one row at least, however large. */
  #fits(characters: number): boolean {
    const isFull = this.#rows >= this.query.limit || this.#characters + characters > limits.pageCharactersMax;
    if (this.#rows > 0 && isFull) return false;
    this.#rows++;
    this.#characters += characters;
    return true;
  }
}

/** All pages, one after the other. */
export async function readPages<Answer extends PageAnswer>(
  control: Pick<ControlClient, "call">,
  path: string,
): Promise<readonly Answer[]> {
  const pages: Answer[] = [];
  for (let after: string | null = ""; after !== null;) {
    const query = new URLSearchParams({ after }).toString();
    const page = (await control.call("GET", `${path}?${query}`)).body as Answer;
    pages.push(page);
    const next: string | null = page.next ?? null;
    if (next !== null && next <= after)
      throw new Error(`The pages of ${path} do not go on behind "${after}"`);
    after = next;
  }
  return pages;
}
