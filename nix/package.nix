# lazyssh as a package, with the native ciphers of ssh2 built for the Node that runs it.
{
  lib,
  stdenvNoCC,
  buildNpmPackage,
  importNpmLock,
  nodejs_24,
  cacert,
}:
let
  nodejs = nodejs_24;
  package = lib.importJSON ../package.json;
  lock = lib.importJSON ../package-lock.json;

  # package-lock.json holds what each package must hash to, and leaves from where to npm: so npm fetches, Nix compares.
  fetchPackage =
    path: module:
    let
      name = module.name or (lib.last (lib.splitString "node_modules/" path));
    in
    stdenvNoCC.mkDerivation {
      name = "${lib.strings.sanitizeDerivationName name}-${module.version}.tgz";
      nativeBuildInputs = [ nodejs ];
      buildCommand = ''
        export HOME=$TMPDIR
        npm pack --ignore-scripts --loglevel=error ${lib.escapeShellArg "${name}@${module.version}"}
        mv *.tgz $out
      '';
      NODE_EXTRA_CA_CERTS = "${cacert}/etc/ssl/certs/ca-bundle.crt";
      impureEnvVars = lib.fetchers.proxyImpureEnvVars;
      outputHashMode = "flat";
      outputHash = module.integrity;
      preferLocalBuild = true;
    };
  fetched = lib.mapAttrs fetchPackage (lib.filterAttrs (_: module: module ? integrity) lock.packages);
in
buildNpmPackage {
  pname = package.name;
  inherit (package) version;
  inherit nodejs;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../package.json
      ../package-lock.json
      ../tsconfig.json
      ../tsconfig.build.json
      ../scripts
      ../src
      ../docs
      ../examples
      ./.
      ../CHANGELOG.md
      ../LICENSE
      ../README.md
    ];
  };

  npmDeps = importNpmLock {
    npmRoot = ../.;
    packageSourceOverrides = fetched;
  };
  npmConfigHook = importNpmLock.npmConfigHook;
  # Makes the install script of ssh2 fail when its native ciphers cannot be built, instead of doing without.
  env.CI_CHECK_FAIL = "ssh2";

  doInstallCheck = true;
  installCheckPhase = ''
    test -f $out/lib/node_modules/lazyssh/node_modules/ssh2/lib/protocol/crypto/build/Release/sshcrypto.node
    $out/bin/lazyssh --version
  '';

  meta = {
    inherit (package) description;
    license = lib.licenses.mit;
    mainProgram = "lazyssh";
    platforms = lib.platforms.unix;
  };
}
