/** Entry of `npm run fuzz`. */
export async function runFuzz(_args: readonly string[]): Promise<number> {
  process.stderr.write("No fuzz target exists yet\n");
  return 2;
}
