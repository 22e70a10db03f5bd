/** What fields of messages are made of: what is known, and what lies next to it. */

export const NUMBERS = [
  0,
  1,
  2,
  3,
  7,
  255,
  1024,
  32_767,
  32_768,
  32_769,
  35_000,
  65_535,
  65_536,
  65_558,
  2 ** 20,
] as const;
export const EDGES = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1] as const;

/** Those of the server that need no more than this client has; the last one costs more than all the rest of a session. */
export const KEX = [
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  "diffie-hellman-group16-sha512",
] as const;
/** With which the host can prove itself. */
export const HOST_KEYS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"] as const;
export const CIPHERS = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
  "chacha20-poly1305@openssh.com",
  "aes128-ctr",
  "aes256-ctr",
] as const;
export const MACS = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
] as const;
export const SIGNATURES = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
  "ssh-dss",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
  "ssh-ed25519-cert-v01@openssh.com",
  "rsa-sha2-512-cert-v01@openssh.com",
  "ecdsa-sha2-nistp256-cert-v01@openssh.com",
  "sk-ssh-ed25519-cert-v01@openssh.com",
  "x509v3-ssh-rsa",
  "",
] as const;
export const USERS = [
  "jump",
  "boot+archiver",
  "boot+nothing",
  "ci",
  "limited",
  "boot+",
  "root",
  "",
  "j\u0000mp",
  "Jump",
] as const;
export const TARGETS = [
  "archiver",
  "archiver",
  "archiver",
  "other",
  "archivr",
  "",
  "::1",
  "127.0.0.1",
  "a\r\nb",
] as const;
export const REQUESTS = [
  "shell",
  "pty-req",
  "env",
  "subsystem",
  "window-change",
  "signal",
  "exit-status",
  "exit-signal",
  "xon-xoff",
  "break",
  "x11-req",
  "auth-agent-req@openssh.com",
  "eow@openssh.com",
  "keepalive@openssh.com",
] as const;
export const COMMANDS = [
  "status",
  "status --json",
  "help",
  "start archiver",
  "stop archiver",
  "start nothing",
  "stop archiver --cut",
  "",
  "sh -i",
  "start a b c d e f",
  "\u001b[2J",
  "status;status",
] as const;
export const CHANNELS = [
  "session",
  "session",
  "x11",
  "forwarded-tcpip",
  "direct-streamlocal@openssh.com",
  "auth-agent@openssh.com",
  "tun@openssh.com",
  "",
] as const;
export const GLOBALS = [
  "keepalive@openssh.com",
  "no-more-sessions@openssh.com",
  "tcpip-forward",
  "cancel-tcpip-forward",
  "streamlocal-forward@openssh.com",
  "hostkeys-prove-00@openssh.com",
  "hostkeys-00@openssh.com",
  "",
] as const;
