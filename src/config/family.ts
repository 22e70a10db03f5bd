/** Whether the address of a target is a pattern: each name that matches it is a target of its own, with its own machine. */
export function isFamily(address: string): boolean {
  return /[*?]/.test(address);
}

/** Names that a family may have: they become tags in the cloud and words of command lines. */
export function isMemberName(name: string): boolean {
  return /^\w[\w.-]{0,254}$/.test(name);
}
