/**
 * What a folder of policies needs so that an editor, the type checker and the test runner find everything that a policy and its
 * test import: the SDK with its types, valibot, and the types of the runner. It lies in `.heddle/`, which `apply` does not read.
 */
import { embed, embedTypes } from "../../compile/embed.ts" with { type: "macro" };
import { javascript, typescript } from "./kit.ts";

/** Hidden: whoever gathers documents and policies passes it over. */
export const kitFolder = ".heddle";

const valibotTypes = embedTypes("node_modules/valibot/dist/index.d.mts");
const runnerTypes = embedTypes("node_modules/bun-types/test.d.ts");

/** By their path below the folder of the author. Everything of them is heddle's to write again. */
export function kitFiles(): ReadonlyMap<string, string> {
  const sdk = Object.entries(typescript).map(([path, text]): [string, string] => [
    `${kitFolder}/${path.slice("/heddle/".length)}`,
    text,
  ]);
  return new Map([
    ...sdk,
    [`${kitFolder}/policy_under_test.ts`, embed("src/policy/policy_under_test.ts")],
    [`${kitFolder}/valibot/index.js`, javascript["/heddle/valibot.js"] ?? ""],
    [`${kitFolder}/valibot/index.d.ts`, valibotTypes],
    [`${kitFolder}/runner.d.ts`, runnerTypes],
  ]);
}

/** Settings of the type checker: as strict as those of heddle's own policies, with no library but the language. */
export const authorSettings = `{
  "compilerOptions": {
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "noEmit": true,
    "target": "esnext",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["esnext"],
    "types": [],
    "allowImportingTsExtensions": true,
    "verbatimModuleSyntax": true,
    "skipLibCheck": true,
    "paths": {
      "heddle/policy": ["./${kitFolder}/sdk.ts"],
      "heddle/policy/test": ["./${kitFolder}/policy_under_test.ts"],
      "valibot": ["./${kitFolder}/valibot/index"]
    }
  },
  "include": ["**/policies/**/*.ts", "${kitFolder}/runner.d.ts"]
}
`;
