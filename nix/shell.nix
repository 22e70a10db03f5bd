# What `npm ci && npm run check && npm test` needs: Node, a compiler for the ciphers of ssh2, and what tests run.
{
  mkShell,
  nodejs_24,
  python3,
  openssh,
  git,
  rsync,
}:
mkShell {
  packages = [
    nodejs_24
    python3
    openssh
    git
    rsync
  ];
  # The headers of this very Node, instead of fetching them.
  env.npm_config_nodedir = "${nodejs_24}";
}
