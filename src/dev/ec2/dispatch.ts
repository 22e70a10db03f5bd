import { dryRunSucceeded, Ec2Error } from "../cloud/error.ts";
import type { ActionContext, ActionTable } from "./action.ts";
import { accountActions } from "./actions/account.ts";
import { attributeActions } from "./actions/attributes.ts";
import { instanceActions } from "./actions/instances.ts";
import { spotActions } from "./actions/spot.ts";
import { tagActions } from "./actions/tags.ts";
import { volumeActions } from "./actions/volumes.ts";
import type { Params } from "./query.ts";
import { renderError, renderResponse } from "./xml.ts";

const ACTIONS: ReadonlyMap<string, ActionTable[string]> = new Map(
  [instanceActions, volumeActions, tagActions, accountActions, attributeActions, spotActions].flatMap(
    (table) => Object.entries(table),
  ),
);

export const ACTION_NAMES: readonly string[] = [...ACTIONS.keys()];

/** Actions that look at what is asked for before they say what a dry run would have come to. */
const CHECKS_DRY_RUN: ReadonlySet<string> = new Set(["RunInstances"]);

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A form-encoded request, answered in full: what an EC2 endpoint does between reading and writing. */
export function dispatch(action: string, params: Params, context: ActionContext, requestId: string): Answer {
  try {
    context.cloud.settle();
    const perform = ACTIONS.get(action);
    if (perform === undefined) {
      throw new Ec2Error("InvalidAction", `The action ${action} is not valid for this web service.`);
    }
    if (params.flag("DryRun") === true && !CHECKS_DRY_RUN.has(action)) throw dryRunSucceeded();
    return { status: 200, body: renderResponse(action, requestId, perform(params, context)) };
  } catch (error) {
    if (error instanceof Ec2Error) return refusal(error, requestId);
    throw error;
  }
}

export function refusal(error: Ec2Error, requestId: string): Answer {
  return { status: error.status, body: renderError(error.code, error.message, requestId) };
}
