import type { Decoder } from "../decode/decoder.ts";
import type { Section } from "../decode/row.ts";
import { HOURS_OF_A_DAY, MOST_MACHINES, type machineTable } from "./machine.ts";

/** What is wrong with a machine's arguments though each by itself is right. */
export function checkMachine(
  { values, span }: Section<typeof machineTable>,
  family: boolean,
  decoder: Decoder,
): void {
  if (!values.shared && values.lingerMs > 0) {
    decoder.warning(
      span("lingerMs"),
      "Argument without effect",
      '"linger" has no effect with shared = false: a machine of one connection ends with it.',
    );
  }
  if (values.shared && !family && values.maxMachines !== undefined) {
    decoder.warning(
      span("maxMachines"),
      "Argument without effect",
      '"max_machines" has no effect with shared = true: such a target has one machine.',
    );
  }
  if (!values.shared && values.stopMode !== "terminate") {
    decoder.error(
      span("stopMode"),
      "Conflicting configuration arguments",
      `stop_mode = "${values.stopMode}" needs shared = true: nobody comes back to the machine of one connection.`,
    );
  }
  for (const budget of values.budgets) {
    const most = HOURS_OF_A_DAY * (values.shared && !family ? 1 : (values.maxMachines ?? MOST_MACHINES));
    if (budget.values.hoursPerDay > most) {
      decoder.error(
        budget.span("hoursPerDay"),
        "Budget that is never used up",
        `The machines of this target cannot run for more than ${most} hours in a day. Give fewer, or leave the block out.`,
      );
    }
  }
}
