import { describe, expect, test } from "vitest";
import { authorizedKey, ec2, load, required, server } from "./support.ts";

describe("warnings", () => {
  const warnings = (text: string) => {
    const result = load(server + text);
    expect(result.config).toBeDefined();
    return result.diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`);
  };
  const attach = '  attach_volume {\n    device_name = "/dev/sdf"\n    volume_id = "vol-1"\n  }\n';

  test("linger of machines that are not shared", () => {
    expect(warnings(ec2('  shared = false\n  linger = "5m"\n'))).toEqual([
      "warning: Argument without effect",
    ]);
  });

  test("a number of machines where there is one", () => {
    expect(warnings(ec2("  max_machines = 2\n"))).toEqual(["warning: Argument without effect"]);
  });

  test("a volume and several subnets", () => {
    const subnets = '  subnet_id = ["subnet-1", "subnet-2"]\n';
    expect(warnings(ec2(`${subnets}${attach}`))).toEqual([
      "warning: The machine may start in another zone than its volume",
    ]);
  });

  test("a volume and no word about the zone", () => {
    expect(warnings(ec2(attach))).toEqual(["warning: The machine may start in another zone than its volume"]);
  });

  test("a volume whose zone the launch template may know is no reason to warn", () => {
    const template = '  launch_template { name = "backup" }\n';
    expect(warnings(`target "a" "aws_ec2" {\n${template}${attach}}\n`)).toEqual([]);
  });

  test("a public address that is to be used and not to be given, and groups by name", () => {
    const body = '  address = "public"\n  associate_public_ip_address = false\n';
    expect(warnings(ec2(body))).toEqual(["warning: The machine may have no address to connect to"]);
    expect(warnings(ec2('  security_group_ids = ["sg-1", "web"]\n'))).toEqual([
      "warning: Not the id of a security group",
    ]);
  });

  test("what EC2 would refuse and the older program loaded all the same", () => {
    const target = (body: string) => ec2(`  subnet_id = "s"\n${body}`);
    const device = (body: string) => `  ebs_block_device {\n    device_name = "x"\n${body}  }\n`;
    expect(warnings(target(attach.replace("vol-1", "")))).toEqual(["warning: Not the id of a volume"]);
    expect(warnings(target(device('    volume_type = "io2"\n')))).toEqual(["warning: Missing argument"]);
    expect(warnings(target(device("") + device("")))).toEqual(["warning: Duplicate device name"]);
  });

  test("one volume of two targets", () => {
    const body = `${required}${attach}  subnet_id = "s"\n`;
    expect(warnings(`target "a" "aws_ec2" {\n${body}}\ntarget "b" "aws_ec2" {\n${body}}\n`)).toEqual([
      "warning: Volume of two targets",
    ]);
  });

  test("what is ignored of authorized keys", () => {
    const keys = `<<EOT\n# mine\n\n  restrict,from="a b" ${authorizedKey}\n${authorizedKey}\nEOT\n`;
    const result = load(`${server.replace(`"${authorizedKey}"\n`, keys)}target "a" "forward" { to = "h" }\n`);
    expect(result.config?.server.users[0]?.keys[0]?.key.comment).toBe("dana@laptop");
    expect(result.diagnostics.map(({ detail }) => detail)).toEqual([
      'The options before the key are not applied. Only the first key may log in; the others are ignored. A block user "NAME" { authorized_keys = [ … ] } takes all keys, with their options.',
    ]);
  });
});
