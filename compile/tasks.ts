/** The tasks of package.json, on Bun. Each lives in a file of its own; this one only chooses. */
const [task, ...args] = process.argv.slice(2);

switch (task) {
  case "compile":
    await compile();
    break;
  case "package":
    await makePackages();
    break;
  case "demo":
    process.exit(await (await import("./demo.ts")).runDemo(args));
    break;
  case "test":
    process.exit(await (await import("./suites.ts")).runSuites("all", args));
    break;
  case "ok":
    process.exit(await (await import("./suites.ts")).runSuites("quick", args));
    break;
  case "format":
    process.exit((await import("./checks.ts")).format(false));
    break;
  case "bench":
    // What is measured is what stands in the sources.
    await (await import("./binary.ts")).compileBinary({ verbose: false });
    process.exit(await (await import("../test/bench/main.ts")).runBench(args));
    break;
  case "profile":
    await (await import("./binary.ts")).compileBinary({ verbose: false });
    process.exit(await (await import("../test/bench/profile.ts")).runProfile(args));
    break;
  case "fuzz":
    process.exit(await (await import("../test/fuzz/main.ts")).runFuzz(args));
    break;
  case "sim":
    process.exit((await import("../test/sim/main.ts")).runSimulation(args));
    break;
  case "mutants":
    process.exit(await (await import("../test/mutants/main.ts")).runMutants(args));
    break;
  case "conformance":
    process.exit(await (await import("../test/conformance/http1/main.ts")).runConformance(args));
    break;
  default:
    process.stderr.write(
      `Unknown task "${task}": expected compile, package, demo, test, ok, format, bench, profile, fuzz, sim, mutants or conformance\n`,
    );
    process.exit(2);
}

async function compile(): Promise<void> {
  const { targetIn } = await import("./targets.ts");
  const target = targetIn(args);
  await (await import("./binary.ts")).compileBinary({ verbose: true, target });
}

async function makePackages(): Promise<void> {
  const { targetIn } = await import("./targets.ts");
  const { makePackages } = await import("./packages.ts");
  for (const { path } of await makePackages(targetIn(args))) process.stdout.write(`${path}\n`);
}

export {};
