import type { Cloud } from "../cloud/cloud.ts";
import type { LaunchFaults } from "../cloud/launch-request.ts";
import type { Instance } from "../cloud/state.ts";
import type { Params } from "./query.ts";
import type { XmlFields } from "./xml.ts";

export interface ActionContext {
  readonly cloud: Cloud;
  /** How far behind the truth a Describe is, in milliseconds. */
  readonly lagMs: number;
  /** Whether a listing leaves an instance out. */
  readonly hides: (instance: Instance) => boolean;
  /** What goes wrong with what this call launches. */
  readonly launch: LaunchFaults;
  /** How long an attachment made by this call takes, in milliseconds; undefined: as the cloud's delays have it. */
  readonly attachMs: number | undefined;
  /** The same for those that end. */
  readonly detachMs: number | undefined;
  /** What the instance has printed. */
  readonly consoleOutput: (instanceId: string) => string;
}

/** One action of the API: parameters in, the fields of its answer out. @throws Ec2Error for every refusal. */
export type Action = (params: Params, context: ActionContext) => XmlFields;

export type ActionTable = Readonly<Record<string, Action>>;
