import type { Cloud } from "../cloud/cloud.ts";
import type { Fate } from "../cloud/state.ts";
import type { Params } from "./query.ts";
import type { XmlFields } from "./xml.ts";

export interface ActionContext {
  readonly cloud: Cloud;
  /** How far behind the truth a Describe is, in milliseconds. */
  readonly lagMs: number;
  /** What becomes of an instance launched by this call. */
  readonly fate: Fate;
  /** What the instance has printed. */
  readonly consoleOutput: (instanceId: string) => string;
}

/** One action of the API: parameters in, the fields of its answer out. @throws Ec2Error for every refusal. */
export type Action = (params: Params, context: ActionContext) => XmlFields;

export type ActionTable = Readonly<Record<string, Action>>;
