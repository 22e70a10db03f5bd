import { Socket, type SocketConstructorOpts, type TcpNetConnectOpts } from "node:net";

/** Takes what was read; the buffer is reused for the next read. False stops reading until `resume()`. */
export type ReadHandler = (data: Uint8Array) => boolean;

/**
 * A connection to a target, read into one buffer and with independent directions: a target that has stopped reading
 * may still have an answer under way, so a failed write does not end the reading as it does with a plain socket.
 */
export class TargetSocket extends Socket {
  onRead: ReadHandler = () => false;
  /** Called once when writing has failed; what is written afterwards is dropped. */
  onWriteFailure: (error: Error) => void = () => undefined;
  #writeFailure: Error | undefined;

  /**
   * Not connected yet, and paused.
   *
   * @param buffer may be shared by sockets, because handlers have copied the data when they return.
   */
  constructor(buffer: Uint8Array) {
    const options: SocketConstructorOpts & Pick<TcpNetConnectOpts, "onread"> = {
      allowHalfOpen: true,
      onread: { buffer, callback: (length, read) => this.onRead(read.subarray(0, length)) },
    };
    super(options);
    this.pause();
    // Every error is followed by `close`; one that comes between two owners must not end the process.
    this.on("error", () => undefined);
  }

  get writeFailure(): Error | undefined {
    return this.#writeFailure;
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteDone): void {
    if (this.#writeFailure) done();
    else super._write(chunk, encoding, this.#absorb(done));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: WriteDone): void {
    if (this.#writeFailure) done();
    else super._writev?.(chunks, this.#absorb(done));
  }

  override _final(done: WriteDone): void {
    if (this.#writeFailure) done();
    else super._final(this.#absorb(done));
  }

  #absorb(done: WriteDone): WriteDone {
    return (error) => {
      if (error && !this.#writeFailure) {
        this.#writeFailure = error;
        this.onWriteFailure(error);
      }
      done();
    };
  }
}

type WriteDone = (error?: Error | null) => void;
