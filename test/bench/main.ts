/** Entry of `npm run bench`. */
export async function runBench(_args: readonly string[]): Promise<number> {
  process.stderr.write("No benchmark exists yet\n");
  return 2;
}
