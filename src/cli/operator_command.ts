/** `heddle operator create|list|revoke`: who may look at the mesh, change it, or do everything. */
import { Option, type Command } from "commander";
import { controllerPaths } from "../api/messages.ts";
import type { OperatorRole, OperatorsAnswer } from "../api/operator_messages.ts";
import { createOperator, openOperator } from "../app/operator.ts";
import { humanDuration } from "../base/duration.ts";
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import type { Cli } from "./command.ts";

export function registerOperators(program: Command, cli: Cli): void {
  const operator = program
    .command("operator")
    .description("let people and programs look at the mesh, change it, or do everything");
  const create = operator
    .command("create")
    .description(
      "make an operator and its credential: a file for HEDDLE_OPERATOR, which is renewed where it is used",
    )
    .argument("<name>", "lower-case letters, digits and '-'")
    .addOption(
      new Option("--role <role>", "viewer looks, editor also applies and deletes, admin does everything")
        .choices(["viewer", "editor", "admin"])
        .makeOptionMandatory(),
    )
    .option("--out <file>", "where the credential is written (default: NAME.operator.json)")
    .action(async (name: string, flags: { role: OperatorRole; out?: string }) => {
      const terminal = cli.terminal(create);
      if (!isName(name))
        throw new UserError(
          `Cannot use the name "${name}": expected lower-case letters, digits and inner '-'`,
        );
      const out = flags.out ?? `${name}.operator.json`;
      const path = out.startsWith("/") ? out : `${cli.runtime.process.folder}/${out}`;
      const made = await createOperator(cli.runtime, cli.folder(create), { name, role: flags.role, path });
      const { spiffeId, notAfterMs } = made;
      if (terminal.format === "json")
        return terminal.json({ name, role: flags.role, spiffeId, notAfterMs, credential: path });
      terminal.line(
        `${name} is ${flags.role}; keep ${path} secret, and on one machine: it is renewed where it is used`,
      );
      terminal.line(`  HEDDLE_OPERATOR=${path} heddle status`);
    });
  const list = operator
    .command("list")
    .description("show the operators beside admin, who belongs to the controller's machine")
    .action(async () => {
      const terminal = cli.terminal(list);
      const control = await openOperator(cli.runtime, cli.folder(list));
      const { operators } = (await control.call("GET", controllerPaths.operators)).body as OperatorsAnswer;
      control.close();
      if (terminal.format === "json") return terminal.json(operators);
      if (operators.length === 0)
        return terminal.line("There is none beside admin; heddle operator create makes one");
      const nowMs = cli.runtime.clock.wallMs();
      terminal.table(
        ["OPERATOR", "ROLE", "CERTIFICATE"],
        operators.map(({ name, role, endsMs }) => [
          name,
          role,
          endsMs > nowMs
            ? `${humanDuration(endsMs - nowMs)} left`
            : `ended ${humanDuration(nowMs - endsMs)} ago`,
        ]),
      );
    });
  const revoke = operator
    .command("revoke")
    .description("refuse an operator from its next request on")
    .argument("<name>", "as heddle operator list shows it")
    .action(async (name: string) => {
      const terminal = cli.terminal(revoke);
      const control = await openOperator(cli.runtime, cli.folder(revoke));
      await control.call("POST", `${controllerPaths.operators}/${encodeURIComponent(name)}/revoke`, {});
      control.close();
      if (terminal.format === "json") return terminal.json({ operator: name, revoked: true });
      terminal.line(`${name} is refused from now on`);
    });
}
