/** What the guest has to know. */
export interface DeadMan {
  /** How long it runs on unseen, in milliseconds. */
  readonly ms: number;
  /** Local ports on which an established connection counts as an SSH session. */
  readonly ports: readonly number[];
}

/** The tag that holds until when the machine is wanted, as `2026-11-25T02:34:13Z`. */
export const EXPIRES_TAG = "lazyssh:expires";

const NAME = "lazyssh-dead-man";
const MINUTE_MS = 60_000;

/**
 * The loop that watches, in plain POSIX sh, for root. It counts minutes in which neither a session nor a tag in the future was seen,
 * so that a clock that is set at boot expires nothing; what it has once read of the tag stays, so that a metadata service that fails
 * for a moment expires nothing either.
 * Sources: proc(5) for /proc/net/tcp; EC2 user guide, "View tags for your EC2 instances using instance metadata".
 */
export function watchScript({ ms, ports }: DeadMan): string {
  const minutes = Math.ceil(ms / MINUTE_MS);
  const hex = [...new Set(ports)].map((port) => port.toString(16).toUpperCase().padStart(4, "0"));
  // "01" is ESTABLISHED. "poweroff -f" comes last: it does not unmount what is mounted.
  return `n=0 e= u=http://169.254.169.254/latest
while sleep 60; do
n=$((n+1))
grep -qsE '^ *[0-9]+: [0-9A-F]+:(${hex.join("|")}) [0-9A-F:]+ 01 ' /proc/net/tcp /proc/net/tcp6 && n=0
t=$(curl -sfm5 -XPUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $u/api/token) &&
t=$(curl -sfm5 -H "X-aws-ec2-metadata-token: $t" $u/meta-data/tags/instance/${EXPIRES_TAG}) &&
case $t in 2*Z) e=$t;; esac
[ "$e" \\> "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ] && n=0
[ $n -lt ${minutes} ] || {
echo 'lazyssh: unused for ${minutes} min, powering off' >/dev/console
shutdown -P now || poweroff || poweroff -f
}
done
`;
}

/**
 * Puts the loop into a file and runs it beside whatever else the boot does: as a unit of systemd, which is there after a reboot
 * too, else as a process of its own. Touches neither variables, options nor output of a script that it stands in, and may run
 * twice.
 */
export function startScript(deadMan: DeadMan): string {
  // --no-block: early in the boot systemd would wait for what itself waits for this.
  return `# lazyssh dead_man: powers the machine off when nobody uses it
(
d=/etc
[ -w $d/systemd/system ] || d=/run
f=$d/${NAME} u=$d/systemd/system
cat >$f <<'LAZYSSH'
${watchScript(deadMan)}LAZYSSH
[ -d /run/systemd/system ] && mkdir -p $u/multi-user.target.wants &&
printf '[Service]\\nExecStart=/bin/sh %s\\nRestart=always\\n' $f >$u/${NAME}.service &&
ln -sf ../${NAME}.service $u/multi-user.target.wants/ &&
systemctl daemon-reload && systemctl --no-block start ${NAME} || {
p=/run/${NAME}.pid
grep -qs ${NAME} /proc/$(cat $p)/cmdline || {
s=nohup
command -v setsid && s=setsid
$s sh $f &
echo $! >$p
}
}
) </dev/null >/dev/null 2>&1 || :
`;
}
