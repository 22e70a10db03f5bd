# As much of nixpkgs as the flake, the package and the module use, without what they do not: enough to evaluate them
# where nixpkgs itself cannot be fetched. Derivations are the attribute sets that they were called with.
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elemAt
    filter
    functionArgs
    intersectAttrs
    isString
    length
    listToAttrs
    pathExists
    replaceStrings
    split
    ;

  lib = rec {
    inherit (builtins) mapAttrs;
    genAttrs =
      names: make:
      listToAttrs (
        map (name: {
          inherit name;
          value = make name;
        }) names
      );
    filterAttrs =
      keep: set:
      listToAttrs (
        map (name: {
          inherit name;
          value = set.${name};
        }) (filter (name: keep name set.${name}) (attrNames set))
      );
    last = list: elemAt list (length list - 1);
    splitString = separator: text: filter isString (split (replaceStrings [ "." ] [ "\\." ] separator) text);
    importJSON = file: builtins.fromJSON (builtins.readFile file);
    escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
    getExe = package: "${package.outPath}/bin/${package.meta.mainProgram}";
    strings.sanitizeDerivationName = replaceStrings [ "@" "/" ] [ "-" "-" ];
    fetchers.proxyImpureEnvVars = [ ];
    licenses.mit = "MIT";
    platforms.unix = [ ];
    fileset = {
      toSource = args: args;
      unions = map (path: if pathExists path then toString path else throw "${toString path} is not there");
    };

    # Modules.
    mkOption = option: option;
    mkEnableOption = _: { };
    mkIf = condition: content: if condition then content else { };
    mkDefault = value: value;
    literalExpression = text: text;
    types = {
      package = "package";
      path = "path";
    };
  };

  derivation = args: args // { outPath = "/nix/store/${args.name or args.pname}"; };

  pkgsFor =
    system:
    let
      pkgs = {
        inherit lib pkgs;
        stdenv.hostPlatform.system = system;
        stdenvNoCC.mkDerivation = derivation;
        buildNpmPackage = derivation;
        importNpmLock = {
          __functor = _: args: args;
          npmConfigHook = "hook";
        };
        mkShell = args: args;
        callPackage =
          file: overrides:
          let
            function = import file;
          in
          function (intersectAttrs (functionArgs function) pkgs // overrides);
      }
      // lib.genAttrs [ "nodejs_24" "coreutils" "cacert" "python3" "openssh" "git" "rsync" ] (name: "/nix/store/${name}");
    in
    pkgs;
in
{
  inherit lib pkgsFor;
  legacyPackages = lib.genAttrs [
    "x86_64-linux"
    "aarch64-linux"
    "x86_64-darwin"
    "aarch64-darwin"
  ] pkgsFor;
}
