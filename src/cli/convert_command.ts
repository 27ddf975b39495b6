/** `heddle convert`: documents of another mesh as documents of heddle, and what became of each. */
import type { Command } from "commander";
import { gatherFiles } from "../app/apply_files.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import type { Conversion, DialectName } from "../config/convert/convert.ts";
import { showIssues } from "./documents_command.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";

export function registerConvert(program: Command, cli: Cli): void {
  const command = program
    .command("convert")
    .description(
      "write documents of heddle that do what those of another mesh do, and say what became of each",
    )
    .requiredOption("--from <mesh>", "istio, linkerd, consul or kuma")
    .option("--trust-domain <name>", "of this mesh, for identities that access rules name", "cluster.local")
    .argument(
      "[path...]",
      "files (.yaml, .json, of Consul .hcl too), or folders with all of these below them; - for standard input",
      ["."],
    )
    .action(
      async (paths: readonly string[], { from, trustDomain }: { from: string; trustDomain: string }) => {
        const terminal = cli.terminal(command);
        const { convertDocuments, dialects } = await import("../config/convert/convert.ts");
        if (!Object.hasOwn(dialects, from))
          throw new UserError(`Cannot convert from "${from}": expected ${Object.keys(dialects).join(", ")}`);
        if (!/^[a-z0-9._-]{1,255}$/.test(trustDomain))
          throw new UserError(
            `Cannot use --trust-domain "${trustDomain}": expected a name such as corp.example`,
          );
        const { files } = await gatherFiles(cli.runtime.files, paths, {
          documents: from === "consul" ? /\.(?:ya?ml|json|hcl)$/ : /\.(?:ya?ml|json)$/,
        });
        const conversion = convertDocuments(files, from as DialectName, { trustDomain });
        if (terminal.format === "json") terminal.json(conversion);
        else show(terminal, conversion);
        const { counts, issues, undecided } = conversion;
        if (issues.length > 0) throw new UserError("What could not be read is left out", null, 1);
        if (counts.refused > 0)
          throw new UserError(
            `${counts.refused} ${counts.refused === 1 ? "document was" : "documents were"} refused`,
            undecided === ""
              ? "The lines above say why; what is written on standard output is the rest"
              : "The lines above say why; what is written on standard output applies once you have decided who may call",
            1,
          );
      },
    );
}

const words = { converted: "converted", loss: "converted with a loss", refused: "refused" } as const;

function show(terminal: Terminal, { text: made, undecided, sources, counts, issues }: Conversion): void {
  const { green, yellow, red, dim } = terminal.paint;
  const paints = { converted: green, loss: yellow, refused: red, note: dim };
  const documents = [undecided, made].filter((each) => each !== "").join("---\n");
  if (documents !== "") terminal.lines(documents.trimEnd());
  showIssues(terminal, issues);
  for (const { file, line, title, outcome, notes } of sources) {
    terminal.problem(text`${file}:${line}: ${title}: ${paints[outcome](words[outcome])}`);
    for (const note of notes) {
      const field = note.field === "" ? "" : `${note.field}: `;
      terminal.problem(text`    ${paints[note.kind](`${note.kind} :${note.line}:`)} ${field}${note.text}`);
    }
  }
  terminal.problem(
    `${sources.length} documents: ${counts.converted} converted, ${counts.loss} with a named loss, ${counts.refused} refused`,
  );
}
