/** `heddle demo`, and the hidden command behind each of its services. */
import { socketAddress } from "../base/socket_address.ts";
import { Option, type Command } from "commander";
import { UserError } from "../base/user_error.ts";
import { portFlag, type Cli } from "./command.ts";

export function registerDemo(program: Command, cli: Cli): void {
  const command = program
    .command("demo")
    .description(
      "play a mesh of three machines on this one: watch requests flow, be denied, be routed, and survive failures",
    )
    .option("--keep", "leave it running at the end", false)
    .option("--write <dir>", "only write its documents and policy there, for `heddle dev <dir>`")
    .action(async (flags: { keep: boolean; write?: string }) => {
      const terminal = cli.terminal(command);
      if (flags.write !== undefined) {
        const { writeDemo } = await import("./demo/write.ts");
        for (const line of await writeDemo(cli.runtime, flags.write)) terminal.line(line);
        return;
      }
      const { playDemo } = await import("./demo/story.ts");
      cli.runtime.process.exit(await playDemo(cli.runtime, terminal, { keep: flags.keep }));
    });
  program
    .command("demo-service", { hidden: true })
    .argument("<role>")
    .addOption(new Option("--host <address>").default("127.0.0.1"))
    .addOption(new Option("--port <port>").argParser(portFlag("--port")).makeOptionMandatory())
    .addOption(new Option("--label <version>").default("v1"))
    .action(async (role: string, flags: { host: string; port: number; label: string }) => {
      const { demoService } = await import("./demo/services.ts");
      const { servePlain } = await import("../app/plain_server.ts");
      const handler = demoService(role, {
        version: flags.label,
        instance: socketAddress(flags.host, flags.port),
      });
      if (handler === null) throw new UserError(`There is no demo service "${role}"`);
      servePlain(cli.runtime, { host: flags.host, port: flags.port }, handler, null);
      await new Promise(() => {});
    });
}
