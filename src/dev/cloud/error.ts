/** An answer of the EC2 API that is not success (EC2 API reference, "Error codes"). */
export class Ec2Error extends Error {
  override readonly name = "Ec2Error";
  readonly code: string;
  /** HTTP status: 400 for the caller's mistakes, 500 and 503 for the cloud's. */
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function missingParameter(name: string): Ec2Error {
  return new Ec2Error("MissingParameter", `The request must contain the parameter ${name}`);
}

export function noCapacity(instanceType: string, zone: string, market = "on-demand"): Ec2Error {
  return new Ec2Error(
    "InsufficientInstanceCapacity",
    market === "spot"
      ? "There is no Spot capacity available that matches your request."
      : `We currently do not have sufficient ${instanceType} capacity in the Availability Zone you requested (${zone}).`,
    500,
  );
}

/** What a dry run is answered that would have succeeded. */
export function dryRunSucceeded(): Ec2Error {
  return new Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
}
