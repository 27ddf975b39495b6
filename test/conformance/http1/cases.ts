/** All cases, in the order of their numbers. */
import type { Case } from "./case.ts";
import { answers } from "./cases/answers.ts";
import { chunked } from "./cases/chunks.ts";
import { connections } from "./cases/connections.ts";
import { fields } from "./cases/fields.ts";
import { framing } from "./cases/framing.ts";
import { requestLines } from "./cases/request_lines.ts";

export const cases: readonly Case[] = [
  ...requestLines,
  ...fields,
  ...framing,
  ...chunked,
  ...connections,
  ...answers,
].toSorted((one, other) => Number.parseInt(one.id, 10) - Number.parseInt(other.id, 10));
