# services.lazyssh: the jump host as a systemd service, with the options of the module that came with the Go program.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.lazyssh;
  home = "/var/lib/lazyssh";
in
{
  options.services.lazyssh = {
    enable = lib.mkEnableOption "lazyssh, an SSH jump host that starts machines on demand";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "the lazyssh of this flake";
      description = "The lazyssh that runs.";
    };

    configFile = lib.mkOption {
      type = lib.types.path;
      example = "/etc/lazyssh/config.hcl";
      description = ''
        The config file. A path of Nix (without quotes) is copied into the store, which everybody on the machine can
        read: keep keys out of such a file, with `host_key = file("/var/lib/lazyssh/host_key")`, or give the path as a
        string. User lazyssh must be able to read it.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    users.users.lazyssh = {
      isSystemUser = true;
      group = "lazyssh";
      # Where the AWS SDK looks for .aws/credentials and .aws/config.
      inherit home;
      description = "lazyssh jump host";
    };
    users.groups.lazyssh = { };

    systemd.services.lazyssh = {
      description = "SSH jump host that starts machines on demand";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      serviceConfig = {
        Type = "notify";
        # lazyssh speaks to systemd through systemd-notify, which is a process of its own.
        NotifyAccess = "all";
        User = "lazyssh";
        Group = "lazyssh";
        ExecStart = "${lib.getExe cfg.package} -config ${lib.escapeShellArg "${cfg.configFile}"}";
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        WatchdogSec = "2min";
        StateDirectory = "lazyssh";
        StateDirectoryMode = "0700";
        Restart = "on-failure";
        RestartSec = "5s";
        # 2 is a mistake in the config file: starting again would not mend it.
        RestartPreventExitStatus = "2";

        # At the end every machine is stopped, and its volumes are waited for. lazyssh asks for more time as it needs it.
        TimeoutStopSec = "15min";
        KillMode = "mixed";

        NoNewPrivileges = "yes";
        CapabilityBoundingSet = "";
        AmbientCapabilities = "";
        UMask = "0077";
        ProtectSystem = "strict";
        ProtectHome = "yes";
        ProtectProc = "invisible";
        ProtectClock = "yes";
        ProtectHostname = "yes";
        ProtectControlGroups = "yes";
        ProtectKernelLogs = "yes";
        ProtectKernelModules = "yes";
        ProtectKernelTunables = "yes";
        PrivateTmp = "yes";
        PrivateDevices = "yes";
        LockPersonality = "yes";
        RemoveIPC = "yes";
        RestrictAddressFamilies = "AF_INET AF_INET6 AF_UNIX AF_NETLINK";
        RestrictNamespaces = "yes";
        RestrictRealtime = "yes";
        RestrictSUIDSGID = "yes";
        SystemCallArchitectures = "native";
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
        SystemCallErrorNumber = "EPERM";
      };
    };
  };
}
