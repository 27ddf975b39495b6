/** All commands, in the order of their help. */
import { registerAddresses } from "./address_command.ts";
import { registerAttach, registerDetach } from "./attach_command.ts";
import { registerAuthority } from "./authority_command.ts";
import { registerBackup, registerRestore } from "./backup_command.ts";
import { registerBugreport } from "./bugreport_command.ts";
import { registerCheck } from "./check_command.ts";
import type { Register } from "./command.ts";
import { registerCompletion } from "./completion_command.ts";
import { registerConvert } from "./convert_command.ts";
import { registerDashboard } from "./dashboard_command.ts";
import { registerDemo } from "./demo_command.ts";
import { registerDrain, registerUndrain } from "./drain_command.ts";
import { registerDiff } from "./diff_command.ts";
import { registerDev } from "./dev_command.ts";
import { registerApply, registerGet } from "./documents_command.ts";
import { registerEdges } from "./edges_command.ts";
import { registerExplain } from "./explain_command.ts";
import { registerIntercept } from "./intercept_command.ts";
import { registerInit } from "./init_command.ts";
import { registerJoin } from "./join_command.ts";
import { registerModes } from "./modes_command.ts";
import { registerPolicies } from "./policy/policy_command.ts";
import { registerDelete } from "./removal_command.ts";
import { registerTelemetry } from "./telemetry_command.ts";
import { registerTap } from "./tap_command.ts";
import { registerTop } from "./top_command.ts";
import { registerWhy } from "./why_command.ts";
import { registerHosts } from "./hosts_command.ts";
import { registerUpgrade } from "./upgrade_command.ts";
import { registerUninstall } from "./uninstall_command.ts";
import { registerLint, registerValidate } from "./validate_command.ts";
import { registerOperators } from "./operator_command.ts";
import { registerStatus } from "./status_command.ts";
import { registerNodes, registerTokens } from "./tokens_command.ts";

export const commands: readonly Register[] = [
  registerInit,
  registerTokens,
  registerJoin,
  registerAttach,
  registerDetach,
  registerIntercept,
  registerNodes,
  registerDrain,
  registerUndrain,
  registerAuthority,
  registerOperators,
  registerModes,
  registerDev,
  registerApply,
  registerDiff,
  registerGet,
  registerDelete,
  registerPolicies,
  registerValidate,
  registerLint,
  registerConvert,
  registerStatus,
  registerEdges,
  registerTop,
  registerTap,
  registerWhy,
  registerTelemetry,
  registerDashboard,
  registerCheck,
  registerBugreport,
  registerAddresses,
  registerBackup,
  registerRestore,
  registerUpgrade,
  registerHosts,
  registerUninstall,
  registerExplain,
  registerCompletion,
  registerDemo,
];
