import type { MachineTargetConfig } from "../config/types.ts";
import { awsEc2Shape } from "./aws-ec2/shape.ts";
import { commandShape } from "./command/shape.ts";
import { lazyProvider } from "./lazy.ts";
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

/** The provider of a target. Cheap: what speaks to a cloud is loaded by the first verb, and its SDK with it. */
export function createProvider(target: MachineTargetConfig, context: ProviderContext): Provider {
  switch (target.type) {
    case "aws_ec2":
      return lazyProvider(awsEc2Shape(target), async () => {
        const { createAwsEc2Provider } = await import("./aws-ec2/provider.ts");
        return createAwsEc2Provider(target, context);
      });
    case "command":
      return lazyProvider(commandShape(target, context), async () => {
        const { createCommandProvider } = await import("./command/provider.ts");
        return createCommandProvider(target, context);
      });
  }
}
