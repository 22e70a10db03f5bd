import type { MachineTargetConfig } from "../config/types.ts";
import { createAwsEc2Provider } from "./aws-ec2/provider.ts";
import { createCommandProvider } from "./command/provider.ts";
import type { Provider } from "./provider.ts";

export type {
  CreateRequest,
  Finding,
  Machine,
  MachinePhase,
  Notes,
  Progress,
  Provider,
  VolumeInfo,
} from "./provider.ts";

/** What every provider is told about the server it works for. */
export interface ProviderContext {
  /** Id of this server, kept across restarts, or of its group; machines are tagged with it and found again by it. */
  readonly owner: string;
  /** Its state directory: what must survive this process is written there. */
  readonly stateDir: string;
}

/** The provider of a target. Cheap: a cloud's SDK is loaded by the first verb that needs it. */
export function createProvider(target: MachineTargetConfig, context: ProviderContext): Provider {
  switch (target.type) {
    case "aws_ec2":
      return createAwsEc2Provider(target, context);
    case "command":
      return createCommandProvider(target, context);
  }
}
