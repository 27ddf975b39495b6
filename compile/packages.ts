/**
 * Packages for Debian and RPM systems, by nfpm: the binary, manual pages and completion. They start nothing: `heddle init` and `heddle join`
 * do, and what these installed is brought to a new version by its package.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileBinary } from "./binary.ts";
import { binaryPath, root } from "./repository.ts";
import { binaryOf, cacheFolder, must, targets, type Target } from "./targets.ts";

/** The latest that the Go of today's stable systems compiles. */
const nfpmVersion = "v2.45.2";
const nfpmModule = "github.com/goreleaser/nfpm/v2/cmd/nfpm";

export interface MadePackage {
  readonly kind: "deb" | "rpm";
  readonly path: string;
}

/** Into dist. Throws the words of whatever failed. Without `compile`, of the binary that is there. */
export async function makePackages(
  target: Target,
  options: { readonly compile: boolean } = { compile: true },
): Promise<readonly MadePackage[]> {
  const nfpm = nfpmPath();
  if (options.compile) await compileBinary({ verbose: false, target });
  // What describes the commands is asked of a binary that runs here.
  if (target !== targets.x64 && !existsSync(binaryPath)) await compileBinary({ verbose: false });
  const folder = join(root, "dist", `package-${target.name}`);
  rmSync(folder, { recursive: true, force: true });
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
  };
  const described = describe(folder, version);
  return (["deb", "rpm"] as const).map((kind) => {
    const config = join(folder, `${kind}.json`);
    writeFileSync(
      config,
      JSON.stringify(configOf(target, { kind, version, contents: described, folder }), null, 2),
    );
    const path = join(root, "dist", packageName(target, kind, version));
    must(nfpm, ["package", "--config", config, "--packager", kind, "--target", path]);
    return { kind, path };
  });
}

/** As Debian and RPM call their files. The package itself is heddle whatever the processor has: one takes the place of the other. */
function packageName(target: Target, kind: MadePackage["kind"], version: string): string {
  const name = target.name === "x64-baseline" ? "heddle-baseline" : "heddle";
  return kind === "deb" ? `${name}_${version}_${target.deb}.deb` : `${name}-${version}-1.${target.rpm}.rpm`;
}

const nfpmKept = `${cacheFolder}/nfpm-${nfpmVersion}/nfpm`;

/**
 * Why no packages can be made here; null: they can.
 * @visibleForTesting
 */
export function packagesMissing(): string | null {
  return existsSync(nfpmKept) || Bun.which("go") !== null ? null : "there is no Go to compile nfpm with";
}

/** Compiled once by Go and kept. */
function nfpmPath(): string {
  const path = nfpmKept;
  if (existsSync(path)) return path;
  try {
    must("go", ["install", `${nfpmModule}@${nfpmVersion}`], { GOBIN: join(path, "..") });
  } catch (error) {
    throw new Error(`Packages are made by nfpm, which Go compiles: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return path;
}

interface Content {
  /** Of packages of this kind alone. */
  readonly only?: MadePackage["kind"];
  readonly src: string;
  readonly dst: string;
  readonly file_info: { readonly mode: number };
}

/** Manual pages, completion and papers, as files. */
function describe(folder: string, version: string): readonly Content[] {
  const pages = join(folder, "man");
  mkdirSync(pages, { recursive: true });
  must(binaryPath, ["man", pages]);
  must("gzip", ["-9n", ...readdirSync(pages).map((name) => join(pages, name))]);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const completion = (shell: string): string =>
    file(`completion.${shell}`, must(binaryPath, ["completion", shell]));
  const zsh = completion("zsh");
  const changelog = file("changelog", debianChangelog(version));
  must("gzip", ["-9nf", changelog]);
  const places: readonly (readonly [string, string, MadePackage["kind"]?])[] = [
    ...readdirSync(pages).map((name) => [join(pages, name), `/usr/share/man/man1/${name}`] as const),
    [completion("bash"), "/usr/share/bash-completion/completions/heddle"],
    [zsh, "/usr/share/zsh/vendor-completions/_heddle", "deb"],
    [zsh, "/usr/share/zsh/site-functions/_heddle", "rpm"],
    [completion("fish"), "/usr/share/fish/vendor_completions.d/heddle.fish"],
    [join(root, "README.md"), "/usr/share/doc/heddle/README.md"],
    [file("copyright", copyright), "/usr/share/doc/heddle/copyright"],
    [`${changelog}.gz`, "/usr/share/doc/heddle/changelog.gz", "deb"],
    [file("overrides", overrides), "/usr/share/lintian/overrides/heddle", "deb"],
  ];
  return places.map(([src, dst, only]) => {
    return { src, dst, file_info: { mode: 0o644 }, ...(only === undefined ? {} : { only }) };
  });
}

function debianChangelog(version: string): string {
  return `heddle (${version}) stable; urgency=medium\n\n  * Version ${version}\n\n -- ${maintainer}  Thu, 01 Jan 2026 00:00:00 +0000\n`;
}

interface Made {
  readonly kind: MadePackage["kind"];
  readonly version: string;
  readonly contents: readonly Content[];
  readonly folder: string;
}

function configOf(target: Target, { kind, version, contents, folder }: Made): object {
  const script = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\nset -e\n${text}`, { mode: 0o755 });
    return path;
  };
  return {
    name: "heddle",
    arch: target[kind],
    version,
    section: "net",
    priority: "optional",
    maintainer,
    license: "Apache-2.0",
    description:
      "Service mesh for machines\nMutual TLS, discovery, routing, resilience and telemetry for systemd services,\nin one binary. Set it up with heddle init and heddle join.",
    depends: kind === "deb" ? ["libc6 (>= 2.28)"] : ["glibc >= 2.28"],
    contents: [
      { src: binaryOf(target), dst: "/usr/bin/heddle", file_info: { mode: 0o755 } },
      ...contents
        .filter((each) => each.only === undefined || each.only === kind)
        .map(({ only: _, ...each }) => each),
    ],
    scripts: {
      postinstall: script("postinstall.sh", postinstall),
      preremove: script("preremove.sh", preremove),
      ...(kind === "deb" ? { postremove: script("postremove.sh", postremove) } : {}),
    },
  };
}

const maintainer = "heddle contributors <heddle@users.noreply.github.com>";
const isInstalled = "[ -d /run/systemd/system ] && [ -e /etc/systemd/system/heddle-proxy.service ]";

/** Of a machine that heddle is a service of; a first installation is none. */
const postinstall = `if ${isInstalled}; then
  /usr/bin/heddle upgrade || echo "heddle: its services go on as they were; heddle upgrade says why" >&2
fi
`;

/** Of Debian's word and of RPM's number. An upgrade takes nothing away. */
const preremove = `case "$1" in
  remove | 0) if ${isInstalled}; then /usr/bin/heddle uninstall; fi ;;
esac
`;

/** As Debian has it: what a purge leaves is nothing. */
const postremove = `if [ "$1" = purge ]; then rm -rf /var/lib/heddle; fi
`;

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: heddle

Files: *
Copyright: heddle contributors
License: Apache-2.0
 On Debian systems the text of the license is in /usr/share/common-licenses/Apache-2.0.
`;

/** The runtime is in the binary, and what it carries behind its end is lost when it is stripped. */
const overrides = `heddle: unstripped-binary-or-object
heddle: embedded-library
`;
