/** `heddle telemetry`: what Prometheus, Grafana and a Collector need to know of a mesh. */
import type { Command } from "commander";
import { plainGet } from "../app/plain_get.ts";
import { targetsPath } from "../app/scrape_pages.ts";
import { adminPort, readSettings, type Settings } from "../app/settings.ts";
import { socketAddress } from "../base/socket_address.ts";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { ports } from "../model/ports.ts";
import type { Cli } from "./command.ts";
import { text } from "./text.ts";

export function registerTelemetry(program: Command, cli: Cli): void {
  const telemetry = program
    .command("telemetry")
    .description("connect the mesh to Prometheus, Grafana and OpenTelemetry");
  const targets = telemetry
    .command("targets")
    .description("print where the metrics of all machines are, as Prometheus's http_sd and file_sd have it")
    .action(async () => {
      const settings = await readSettings(cli.runtime, cli.folder(targets));
      cli.terminal(targets).json(await readTargets(cli, controllerOf(settings)));
    });
  const files = telemetry
    .command("files <dir>")
    .description(
      "write a scrape configuration, rules and alerts, a dashboard, and a Collector's configuration",
    )
    .action(async (dir: string) => {
      const { telemetryFiles } = await import("./telemetry_files/files.ts");
      const settings = await readSettings(cli.runtime, cli.folder(files));
      const terminal = cli.terminal(files);
      const host = settings?.modes.includes("controller") === true ? settings : null;
      const at = host === null ? `127.0.0.1:${ports.admin + 1}` : adminOf(host);
      const written = telemetryFiles(`http://${at}${targetsPath}`);
      await cli.runtime.files.makeFolder(dir, 0o755);
      for (const each of written)
        await cli.runtime.files.writeAtomic(`${dir}/${each.name}`, each.text, 0o644);
      if (terminal.format === "json") return terminal.json(written.map(({ name }) => `${dir}/${name}`));
      for (const { name, words } of written)
        terminal.line(text`${terminal.paint.bold(`${dir}/${name}`)}: ${words}`);
    });
}

/** Only there the page of targets is. */
function controllerOf(settings: Settings | null): Settings {
  if (settings?.modes.includes("controller") === true) return settings;
  throw new UserError(
    "Cannot tell the targets: no controller runs on this machine",
    "Run it on the machine where `heddle init` was run: that is where Prometheus fetches the metrics of the mesh",
  );
}

function adminOf(settings: Settings): string {
  return socketAddress(settings.loopback, adminPort(settings, "controller"));
}

async function readTargets({ runtime }: Cli, settings: Settings): Promise<unknown> {
  const { loopback } = settings;
  const hint = "Is `heddle controller` running there?";
  try {
    const { status, text: said } = await plainGet(
      runtime,
      loopback,
      adminPort(settings, "controller"),
      targetsPath,
    );
    if (status !== 200) throw new Error(`it answers ${status}`);
    return JSON.parse(said);
  } catch (error) {
    throw new UserError(
      `Cannot read the targets at http://${adminOf(settings)}${targetsPath}: ${problemOf(error)}`,
      hint,
    );
  }
}
