import { DEV_IMAGE, REGION } from "./cloud/region.ts";
import { hostKeyLines } from "./host-key.ts";
import type { WorldKeys } from "./keys.ts";

export interface ConfigFacts {
  readonly keys: WorldKeys;
  readonly endpoint: string;
  readonly volumeId: string;
  readonly zone: string;
  /** Port of the guests' SSH servers. */
  readonly guestPort: number;
  /** As `host:port`. */
  readonly listen: string;
  /** As a Go duration. */
  readonly linger: string;
  readonly stateDir: string;
}

/** A configuration that a user could keep: swap the endpoint, image and volume for real ones and it serves AWS. */
export function configText(facts: ConfigFacts): string {
  const { keys } = facts;
  return `# Written by lazyssh dev. Edit it as you like: a changed file is kept.

server {
  listen    = ${literal(facts.listen)}
  state_dir = ${literal(facts.stateDir)}

  # Proves to clients that this is the jump host.
  host_key = <<-EOT
${indented(keys.jumpHost.private, 4)}
  EOT

  # The key that may log in as user jump.
  authorized_key = ${literal(keys.jumpClient.public)}
}

# ssh -J lazyssh archiver starts this machine; it ends when the last connection has gone.
target "archiver" "aws_ec2" {
  region        = ${literal(REGION)}
  endpoint      = ${literal(facts.endpoint)} # without it: AWS itself
  image_id      = ${literal(DEV_IMAGE)}
  instance_type = "t4g.nano"
  key_name      = "lazyssh-dev"

  # Connections go through once SSH answers here.
  check_port = ${facts.guestPort}

  # How long the machine is kept after the last connection.
  linger = ${literal(facts.linger)}

  # The machine has to be where its volume is.
  placement {
    availability_zone = ${literal(facts.zone)}
  }

  # Outlives the machine.
  attach_volume {
    device_name = "/dev/sdf"
    volume_id   = ${literal(facts.volumeId)}
  }

  # The machine's host key, as NixOS images take it: no trust on first use.
  user_data = <<-EOT
${indented(hostKeyLines(keys.archiverHost), 4)}
  EOT
}
`;
}

function indented(text: string, columns: number): string {
  return text
    .trim()
    .split("\n")
    .map((line) => " ".repeat(columns) + line)
    .join("\n");
}

/** A quoted HCL string in which nothing is a template or an escape. */
function literal(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, "\\$&")
    .replaceAll("${", "$${")
    .replaceAll("%{", "%%{")
    .replaceAll("\n", "\\n");
  return `"${escaped}"`;
}
