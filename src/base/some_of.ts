/** The first of many words, and how many more there are: `a, b, c and 4 more`. */
export function someOf(words: readonly string[], max = 5): string {
  const more = words.length - max;
  return words.slice(0, max).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
