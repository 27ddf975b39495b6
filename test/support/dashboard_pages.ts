/** What holds of every page of the dashboard, in every size and colour. */
import { expect } from "bun:test";
import type { Browser, BrowserPage, Screen } from "./browser.ts";

export const screens: Readonly<Record<string, Screen>> = {
  "1280 px, light": { width: 1280, height: 800, dark: false },
  "1280 px, dark": { width: 1280, height: 800, dark: true },
  "390 px, light": { width: 390, height: 844, dark: false },
  "390 px, dark": { width: 390, height: 844, dark: true },
};

/** A page in a browser of its own, let in by the link. */
export async function enter(browser: Browser, link: string, screen: Screen): Promise<BrowserPage> {
  const page = await browser.page(screen);
  await page.open(link);
  await page.until("the dashboard shows how the mesh stands", "document.querySelector('.standing .badge')");
  return page;
}

/** Goes to a place of it, and waits for what stands there. */
export async function goTo(page: BrowserPage, place: string, awaited: string): Promise<void> {
  await page.value(`location.hash = ${JSON.stringify(place)}`);
  await page.until(`${place} shows ${awaited}`, `document.querySelector(${JSON.stringify(awaited)})`);
}

/** Nothing went wrong, nobody else was asked, and nothing sticks out at the side. */
export async function expectSound(page: BrowserPage, origin: string): Promise<void> {
  expect(page.problems).toEqual([]);
  expect(page.asked.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
  const [wide, room] = await page.value<[number, number]>(
    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  );
  expect(wide).toBeLessThanOrEqual(room);
  expect(
    await page.value<number>("document.querySelectorAll('script:not([src]), style, [style*=url]').length"),
  ).toBe(0);
}
