import { spawnSync } from "node:child_process";
import { PassThrough, Transform, type TransformCallback } from "node:stream";
import type { Discipline } from "./run.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/** The program that makes terminals, of util-linux. */
export const SCRIPT = "script";

let scriptKnown: boolean | undefined;

/** Whether util-linux `script` is here, which makes a real terminal (the BSD program of that name takes other flags). */
export function hasScript(): boolean {
  scriptKnown ??=
    spawnSync(SCRIPT, ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") ?? false;
  return scriptKnown;
}

/** Arguments that make `script` run a shell command on a terminal of that size. */
export function scriptArgs(shellCommand: string, { rows, cols }: TerminalSize): string[] {
  const size = rows > 0 && cols > 0 ? `stty rows ${rows} cols ${cols} 2>/dev/null; ` : "";
  return ["-q", "-e", "-f", "-c", `${size}${shellCommand}`, "/dev/null"];
}

const ETX = 0x03;
const EOT = 0x04;
const BACKSPACE = 0x08;
const LF = 0x0a;
const CR = 0x0d;
const NAK = 0x15;
const DELETE = 0x7f;
const ERASE_ONE = "\b \b";

/**
 * The least a person expects of a terminal, for systems without `script`: what is typed is echoed and can be erased,
 * Enter ends a line, Ctrl-C interrupts, Ctrl-D on an empty line ends the input; output lines end in CR LF.
 */
export function lineDiscipline(interrupt: () => void): Discipline {
  const echo = new PassThrough();
  let line: number[] = [];
  let ended = false;

  function type(byte: number, send: (bytes: Buffer) => void): boolean {
    switch (byte) {
      case CR:
      case LF:
        echo.write("\r\n");
        send(Buffer.from([...line, LF]));
        line = [];
        return true;
      case ETX:
        echo.write("^C\r\n");
        line = [];
        interrupt();
        return true;
      case EOT:
        if (line.length === 0) return false;
        send(Buffer.from(line));
        line = [];
        return true;
      case NAK:
        echo.write(ERASE_ONE.repeat(visibleLength(line)));
        line = [];
        return true;
      case DELETE:
      case BACKSPACE:
        if (line.length > 0) {
          line = withoutLastCharacter(line);
          echo.write(ERASE_ONE);
        }
        return true;
      default:
        line.push(byte);
        echo.write(Buffer.from([byte]));
        return true;
    }
  }

  const input = new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      for (const byte of chunk) {
        if (ended) break;
        ended = !type(byte, (bytes) => this.push(bytes));
        if (ended) this.push(null);
      }
      done();
    },
    flush(done: TransformCallback) {
      if (line.length > 0 && !ended) this.push(Buffer.from(line));
      done();
    },
  });
  return { input, echo, output: crlfOutput };
}

function visibleLength(line: readonly number[]): number {
  return Array.from(Buffer.from(line).toString()).length;
}

/** A character of UTF-8 may be several bytes; they go together. */
function withoutLastCharacter(line: readonly number[]): number[] {
  let end = line.length - 1;
  while (end > 0 && ((line[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return line.slice(0, end);
}

function crlfOutput(): Transform {
  let last = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const bytes: number[] = [];
      for (const byte of chunk) {
        if (byte === LF && last !== CR) bytes.push(CR);
        bytes.push(byte);
        last = byte;
      }
      done(null, Buffer.from(bytes));
    },
  });
}
