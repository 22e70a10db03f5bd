/** Lines of their own meaning to NixOS on EC2: channels, host keys, and comments. Blank ones may be among them. */
const HEAD = /^(?:[ \t]*\r?\n|(?:#|SSH_HOST_)[^\n]*(?:\n|$))*/;
const MEANT = /^(?:###|SSH_HOST_)/m;
const SKIPPED = /^(?:\s+|#[^\n]*|\/\*[\s\S]*?\*\/)/;
/** How the expression of a module may begin; what only may be one (YAML, JSON, other languages) is not taken for it. */
const EXPRESSION =
  /^(?:[{(]|let\s|rec\s*\{|with\s[^;]*;|import\s+[.<("]|(?:[A-Za-z_][\w'-]*\s*:\s*)+(?:[{(]|let\s|with\s)|[A-Za-z_][\w'-]*\s*@\s*\{)/;

/**
 * User data as NixOS on EC2 has it, with a module that watches beside the user's own; undefined when it is none.
 * Source: nixpkgs, `nixos/modules/virtualisation/amazon-init.nix` and `ec2-data.nix`.
 */
export function nixWithModule(userData: string, watch: string): string | undefined {
  const head = HEAD.exec(userData)?.[0] ?? "";
  const expression = userData.slice(head.length);
  if (expression.trim() === "") {
    if (!MEANT.test(head)) return undefined;
    return `${asComment(head)}{ modulesPath, ... }: { imports = [ "\${modulesPath}/virtualisation/amazon-image.nix" ${module(watch)} ]; }\n`;
  }
  if (isJson(expression) || !EXPRESSION.test(withoutComments(expression))) return undefined;
  return `${asComment(head)}{ ... }: { imports = [ (\n${expression}\n) ${module(watch)} ]; }\n`;
}

/** A NixOS script has `set -e`; in the `''` strings of Nix, `''` and `${` have a meaning. */
function module(watch: string): string {
  const script = `set +e\n${watch}`.replaceAll("''", "'''").replaceAll("${", "''${");
  return `({ pkgs, ... }: { systemd.services.lazyssh-dead-man = {
wantedBy = [ "multi-user.target" ];
path = [ pkgs.curl ];
serviceConfig.Restart = "always";
script = ''
${script}'';
}; })`;
}

/** All of it becomes configuration.nix, and host keys are no Nix; they are looked for line by line, in a comment too. */
function asComment(head: string): string {
  const lines = head === "" || head.endsWith("\n") ? head : `${head}\n`;
  return /^SSH_HOST_/m.test(lines) && !lines.includes("*/") ? `/*\n${lines}*/\n` : lines;
}

function withoutComments(expression: string): string {
  let rest = expression;
  for (let skipped = SKIPPED.exec(rest); skipped; skipped = SKIPPED.exec(rest))
    rest = rest.slice(skipped[0].length);
  return rest;
}

/** Ignition's, for one. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
