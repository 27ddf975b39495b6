/** The whole environment of a policy host: code from text is refused in every realm of the process. */
export const policyHostEnvironment: Readonly<Record<string, string>> = {
  HOME: "/",
  BUN_OPTIONS: "--disallow-code-generation-from-strings",
};
