import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import type { KeyPair } from "./state.ts";

/**
 * Makes a key pair known under a name, in place of an earlier one of that name.
 *
 * @param publicKey an authorized_keys line, ed25519 or RSA as EC2 takes them.
 * @throws Ec2Error `InvalidKey.Format`.
 */
export function importKeyPair(cloud: Cloud, name: string, publicKey: string): KeyPair {
  if (!/^(?:ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+={0,2}(?: .*)?$/.test(publicKey)) {
    throw new Ec2Error("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
  }
  const id = cloud.keyPairs.get(name)?.id ?? cloud.newId("key");
  const pair: KeyPair = { id, name, publicKey, createTime: cloud.now() };
  cloud.keyPairs.set(name, pair);
  cloud.touch();
  return pair;
}
