import type { Decoder } from "../decode/decoder.ts";
import { armedUserData, type Ec2Section, LARGEST_USER_DATA } from "./aws-ec2.ts";

/** Source: EC2 user guide, "View tags for your EC2 instances using instance metadata". */
const METADATA_TAG_KEY = /^(?!(?:\.|\.\.|_index)$)[A-Za-z0-9+\-=._:@]+$/;
const BY_HAND = 'See "Images without cloud-init" in the manual of aws_ec2 for how to put it in by hand.';

/** What the dead man's switch needs of the arguments beside it. */
export function checkDeadMan(section: Ec2Section, decoder: Decoder): void {
  const { values } = section;
  const armed = armedUserData(section);
  if (armed === undefined) return;
  const span = section.span("deadManMs");
  if ("problem" in armed) {
    decoder.error(
      span,
      "User data that nothing can be added to",
      `"dead_man" puts a script into "user_data", and cannot do so here: ${armed.problem}. ${BY_HAND}`,
    );
  } else {
    const bytes = Buffer.byteLength(armed.text);
    const ours = bytes - Buffer.byteLength(values.userData ?? "");
    if (bytes > LARGEST_USER_DATA) {
      decoder.error(
        span,
        "Not enough room in the user data",
        `EC2 takes at most ${LARGEST_USER_DATA} bytes of user data. With what "dead_man" adds, ${ours} bytes, these are ${bytes}.`,
      );
    }
  }
  const key = Object.keys(values.tags).find((one) => !METADATA_TAG_KEY.test(one));
  if (key !== undefined) {
    decoder.error(
      section.span("tags"),
      "Tag that the instance metadata cannot have",
      `With "dead_man" the machine reads its tags from its metadata, and the keys of tags may then have letters, digits and + - = . _ : @ only.`,
    );
  }
  if (values.metadataOptions[0]?.values.httpEndpoint === "disabled") {
    decoder.warning(
      span,
      "The machine cannot see that lazyssh needs it",
      'With http_endpoint = "disabled" only SSH sessions keep the machine from powering itself off.',
    );
  }
  if (values.stopMode !== "terminate") {
    decoder.warning(
      span,
      "The machine may end with its disks",
      `A machine that "dead_man" powers off is terminated, though stop_mode = "${values.stopMode}" would keep its disks. What must stay belongs on a volume of "attach_volume".`,
    );
  }
  if (values.userData === undefined && values.launchTemplates.length > 0) {
    decoder.warning(
      span,
      "User data of the launch template is not used",
      'What "dead_man" gives the machine takes the place of user data in the template. Write that into "user_data".',
    );
  }
}
