/**
 * The units that keep the rules of interception: one that alone may change the firewall, and has them while the proxy runs; a timer that takes
 * back what nobody confirmed, by systemd and nft alone, whatever became of heddle; and a look now and then whether somebody flushed them.
 */
import { limits } from "../model/limits.ts";
import { hardeningOfSystem } from "./hardening.ts";
import type { Step } from "./plan.ts";
import { unitName } from "./units.ts";
import { unitText, unitWord, type UnitSection } from "./unit_text.ts";

const name = "heddle-intercept";
export const interceptUnit = `${name}.service`;
export const undoTimer = `${name}-undo.timer`;
export const keepTimer = `${name}-keep.timer`;
/** For units whose rules stand before the proxy does. */
export const earlyUnit = `${name}-early.service`;
/** Takes back what is tried. */
export const undoUnit = `${name}-undo.service`;
const keepUnit = `${name}-keep.service`;

/** Emptied by a reboot: what nobody confirmed is not there after one. */
const runtimeFolder = `/run/${name}`;
/** What may be in force, confirmed and not; and rules as text, for who has only nft. */
export const interceptFiles = {
  confirmed: `/var/lib/${name}/confirmed.json`,
  trial: `${runtimeFolder}/trial.json`,
  /** What stood before the trial. */
  before: `${runtimeFolder}/before.nft`,
  /** What stands while the proxy does not run, now and before the trial. */
  rest: `${runtimeFolder}/rest.nft`,
  restBefore: `${runtimeFolder}/rest_before.nft`,
  /** As they were loaded last. */
  rules: `${runtimeFolder}/rules.nft`,
  /** Nothing but an empty hook. */
  off: `${runtimeFolder}/off.nft`,
  /** Who called around the mesh. */
  clear: `${runtimeFolder}/clear.json`,
} as const;

/** systemctl(1) and nft(8): what is not there has not failed. */
const notThere = 1;

export function interceptSteps(units: string, program: string): readonly Step[] {
  const files = unitTexts(program).map(([file, text]): Step => ({
    kind: "write",
    path: `${units}/${file}`,
    text,
  }));
  const needs = [`${units}/${interceptUnit}`];
  const undone = (...command: string[]): Step => ({
    ...{ kind: "run", command: null, when: "always", undo: command, undoNeeds: needs, undoFine: [notThere] },
  });
  return [
    { kind: "run", command: null, when: "always", undo: ["systemctl", "daemon-reload"] },
    ...files,
    { kind: "run", command: ["systemctl", "daemon-reload"], when: "always", undo: null },
    // Those who call see nothing of it: what the rules had redirected was the proxy's, which ends too.
    undone("nft", "delete", "table", "inet", "heddle"),
    undone("rm", "-rf", runtimeFolder, `/var/lib/${name}`),
    undone("systemctl", "disable", "--now", interceptUnit, earlyUnit, keepTimer, undoTimer),
  ];
}

type UnitFile = readonly [file: string, text: string];

function unitTexts(program: string): readonly UnitFile[] {
  const heddle = (...words: string[]): string =>
    [program, "intercept", ...words].map(unitWord).join(" ").replaceAll("$", "$$$$");
  return [
    [
      interceptUnit,
      oneshot("rules that take traffic of units into the mesh", {
        // Where nobody would answer there are no rules.
        Unit: { BindsTo: unitName("proxy"), After: unitName("proxy"), Wants: keepTimer },
        Service: {
          RemainAfterExit: "yes",
          ExecStart: heddle("load"),
          ExecReload: heddle("load"),
          ExecStopPost: `-sh -c "nft -f ${interceptFiles.rest} || nft -f ${interceptFiles.off}"`,
        },
        Install: { WantedBy: unitName("proxy") },
      }),
    ],
    [
      earlyUnit,
      oneshot("rules that stand before the proxy does", {
        Unit: { Before: `${interceptUnit} ${unitName("proxy")}` },
        Service: { RemainAfterExit: "yes", ExecStart: heddle("load", "--early") },
        Install: { WantedBy: "multi-user.target" },
      }),
    ],
    ...undoUnits(),
    [
      keepUnit,
      oneshot("look whether the rules of interception stand", {
        Service: { ExecStart: heddle("keep"), SyslogLevel: "notice", LogLevelMax: "notice" },
      }),
    ],
    [
      keepTimer,
      timer("look whether the rules of interception stand", {
        OnActiveSec: "1s",
        OnUnitInactiveSec: `${limits.interceptKeepMs / 1_000}s`,
      }),
    ],
  ];
}

/** Nothing of it is heddle. */
function undoUnits(): readonly UnitFile[] {
  const { trial, before, restBefore, rest, off } = interceptFiles;
  return [
    [
      undoUnit,
      oneshot("take back rules that nobody confirmed", {
        Service: {
          ExecStart: [
            `rm -f ${trial}`,
            `cp -f ${restBefore} ${rest}`,
            `sh -c "nft -f ${before} || nft -f ${off}"`,
          ],
        },
      }),
    ],
    [
      undoTimer,
      timer("time to confirm rules that are new", { OnActiveSec: `${limits.interceptConfirmMs / 1_000}s` }),
    ],
  ];
}

function oneshot(
  description: string,
  { Unit = {}, Service = {}, Install }: Record<string, UnitSection>,
): string {
  return unitText({
    Unit: { Description: `heddle: ${description}`, ...Unit },
    Service: { Type: "oneshot", ...Service, ...mayChangeRules },
    ...(Install === undefined ? {} : { Install }),
  });
}

function timer(description: string, times: UnitSection): string {
  return unitText({
    Unit: { Description: `heddle: ${description}` },
    Timer: { ...times, AccuracySec: "1s" },
  });
}

const mayChangeRules: UnitSection = {
  TimeoutStartSec: "30s",
  UnsetEnvironment: "BUN_OPTIONS BUN_BE_BUN",
  ...hardeningOfSystem(false),
  AmbientCapabilities: "CAP_NET_ADMIN",
  CapabilityBoundingSet: "CAP_NET_ADMIN",
  // nft finds slices by their folders.
  ProtectControlGroups: null,
  RuntimeDirectory: name,
  RuntimeDirectoryMode: "0755",
  RuntimeDirectoryPreserve: "yes",
};
