import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { lineDiscipline, scriptArgs } from "../../src/dev/guest/terminal.ts";

/** What reaches the process and what the person sees, after typing that. */
async function typed(...keys: string[]) {
  let interrupts = 0;
  const { input, echo } = lineDiscipline(() => {
    interrupts += 1;
  });
  const received: Buffer[] = [];
  input.on("data", (bytes: Buffer) => received.push(bytes));
  const ended = once(input, "end");
  for (const key of keys) input.write(key);
  input.end();
  await ended;
  const seen = ((echo.read() as Buffer | null) ?? Buffer.alloc(0)).toString();
  return { received: Buffer.concat(received).toString(), seen, interrupts };
}

describe("the terminal of a system without script", () => {
  test("echoes a line and hands it over at Enter", async () => {
    expect(await typed("ls\r")).toEqual({ received: "ls\n", seen: "ls\r\n", interrupts: 0 });
  });

  test("erases a character, also one of several bytes, and the whole line", async () => {
    expect(await typed("lö\x7fs\r")).toMatchObject({ received: "ls\n", seen: "lö\b \bs\r\n" });
    expect(await typed("xä\x15ls\r")).toMatchObject({ received: "ls\n", seen: "xä\b \b\b \bls\r\n" });
    expect(await typed("\x7f\r")).toMatchObject({ received: "\n", seen: "\r\n" });
  });

  test("interrupts at Ctrl-C and forgets the line", async () => {
    expect(await typed("sleep\x03ls\r")).toEqual({
      received: "ls\n",
      seen: "sleep^C\r\nls\r\n",
      interrupts: 1,
    });
  });

  test("ends the input at Ctrl-D on an empty line, and takes nothing after it", async () => {
    expect(await typed("a\r\x04", "b\r")).toMatchObject({ received: "a\n" });
    expect(await typed("a\x04b\r")).toMatchObject({ received: "ab\n" });
  });

  test("turns line ends of the output into those of a terminal, across chunks", async () => {
    const output = lineDiscipline(() => undefined).output();
    output.write("one\ntwo\r");
    output.end("\nthree\n");
    const chunks = (await output.toArray()) as Buffer[];
    expect(Buffer.concat(chunks).toString()).toBe("one\r\ntwo\r\nthree\r\n");
  });
});

test("script is given the size of the window, where there is one", () => {
  expect(scriptArgs("ls", { rows: 24, cols: 80 })).toEqual([
    "-q",
    "-e",
    "-f",
    "-c",
    "stty rows 24 cols 80 2>/dev/null; ls",
    "/dev/null",
  ]);
  expect(scriptArgs("ls", { rows: 0, cols: 0 })).toContain("ls");
});
