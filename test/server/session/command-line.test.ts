import { describe, expect, it } from "vitest";
import { parseCommand, splitWords } from "../../../src/server/session/command-line.ts";

describe("a command line over ssh", () => {
  it.each([
    ["", { do: "overview" }],
    ["   \t ", { do: "overview" }],
    ["help", { do: "help" }],
    ["--help", { do: "help" }],
    ["status", { do: "status", json: false, volumes: true }],
    ["status --json --no-volumes", { do: "status", json: true, volumes: false }],
    ["start archiver", { do: "start", target: "archiver", forMs: undefined }],
    ["  start  'archiver'  --for 2h", { do: "start", target: "archiver", forMs: 7_200_000 }],
    ['start --for=1h30m "archiver"', { do: "start", target: "archiver", forMs: 5_400_000 }],
    ["stop archiver", { do: "stop", target: "archiver", cut: false }],
    ["stop --cut archiver", { do: "stop", target: "archiver", cut: true }],
    ["stop archiver --now", { do: "stop", target: "archiver", cut: true }],
  ])("%s", (line, command) => expect(parseCommand(line)).toEqual(command));

  it.each([
    ["statsu", 'there is no command "statsu": did you mean "status"?'],
    ["/bin/sh -c id", 'there is no command "/bin/sh"'],
    ["status now", '"status" knows no "now"'],
    ["start", '"start" needs the name of a target'],
    ["start a b", '"start" knows no "b"'],
    ["start a --for", '--for ""'],
    ["start a --for 0s", "It must be longer than nothing."],
    ["start a --for never", '--for "never"'],
    ["start a --lift", "--lift is not offered here"],
    ["start -x a", '"start" knows no "-x"'],
    ["stop", '"stop" needs the name of a target'],
    ["stop a --force", '"stop" knows no "--force"'],
    ["status 'x", "a quote (') is not closed"],
  ])("%s is refused in words", (line, problem) => {
    expect(parseCommand(line)).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it("has words, and quotes around them, and no more of a shell", () => {
    expect(splitWords(`a "b c" d'e "f'g "" $HOME;ls|x\\ y`)).toEqual({
      words: ["a", "b c", 'de "fg', "", "$HOME;ls|x\\", "y"],
    });
  });
});
