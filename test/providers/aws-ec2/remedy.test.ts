import { expect, test } from "vitest";
import { remedyFor } from "../../../src/providers/aws-ec2/remedy.ts";
import { targetWith } from "../../harness/target.ts";

test("the command ends the machine where it runs", () => {
  const target = targetWith({ profile: "back up", endpoint: "http://127.0.0.1:4566" });
  expect(remedyFor(target, "i-1", "token-1")).toBe(
    "aws ec2 terminate-instances --instance-ids i-1 --region us-west-2 --profile 'back up' --endpoint-url http://127.0.0.1:4566",
  );
});

test("while no id is known, the command finds the machine by its launch, whichever alternative it is", () => {
  expect(remedyFor(targetWith({ region: undefined }), undefined, "token-1")).toBe(
    "aws ec2 describe-instances --filters Name=tag:lazyssh:launch,Values=token-1",
  );
});

test("volumes that would be deleted with the machine are saved first", () => {
  expect(remedyFor(targetWith(), "i-1", "token-1", [{ volumeId: "vol-1", device: "/dev/sdf" }])).toBe(
    "aws ec2 modify-instance-attribute --instance-id i-1 --block-device-mappings " +
      `'[{"DeviceName":"/dev/sdf","Ebs":{"DeleteOnTermination":false}}]' --region us-west-2 && ` +
      "aws ec2 terminate-instances --instance-ids i-1 --region us-west-2",
  );
});
