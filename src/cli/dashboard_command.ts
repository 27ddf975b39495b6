/** `heddle dashboard`: a link to the pages that show the mesh; where the controller is elsewhere, they are served from here. */
import type { Command } from "commander";
import { dashboardPaths, type SessionAnswer } from "../api/dashboard_messages.ts";
import { dashboardSession, linkOf } from "../app/dashboard_link.ts";
import { openOperator } from "../app/operator.ts";
import { readSettings } from "../app/settings.ts";
import { socketAddress } from "../base/socket_address.ts";
import { formatDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import { portFlag, type Cli } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export function registerDashboard(program: Command, cli: Cli): void {
  const command = program
    .command("dashboard")
    .description(
      "print a link to the dashboard: who calls whom, each service, the machines, live requests; away from the controller's machine it is served here, on loopback, until Ctrl-C",
    )
    .option("--port <port>", "where it is served here (default: any)", portFlag("--port"))
    .action(async (flags: { port?: number }) => {
      const terminal = cli.terminal(command);
      const folder = cli.folder(command);
      const elsewhere = cli.runtime.process.env["HEDDLE_OPERATOR"] !== undefined || flags.port !== undefined;
      const settings = elsewhere ? null : await readSettings(cli.runtime, folder);
      const operator = await openOperator(cli.runtime, folder);
      if (settings?.modes.includes("controller") === true) {
        const answer = await dashboardSession(operator);
        operator.close();
        showLink(terminal, answer);
        return;
      }
      // What it may see is told at once, not by its pages.
      await operator.call("GET", dashboardPaths.machines);
      const { serveDashboardHere } = await import("../app/dashboard_here.ts");
      const served = serveDashboardHere(cli.runtime, operator, flags.port ?? 0);
      showLink(terminal, served);
      if (terminal.format === "text") terminal.line("Served from here until Ctrl-C");
      await new Promise<void>((done) => {
        cli.runtime.process.onSignal("SIGINT", done);
        cli.runtime.process.onSignal("SIGTERM", done);
      });
      await served.close();
      operator.close();
      cli.runtime.process.exit(0);
    });
}

function showLink(terminal: Terminal, answer: SessionAnswer): void {
  const { host, port } = answer;
  const url = linkOf(answer);
  if (terminal.format === "json") return terminal.json({ url });
  terminal.line(url);
  terminal.problem(
    terminal.paint.dim(
      `It works once, within ${formatDuration(limits.dashboardCodeMs)}. From another machine: ssh -L ${port}:${socketAddress(host, port)} to this one, then http://localhost:${port}/#code=...`,
    ),
  );
}
