/** What is wrong with a file, in one sentence; `kind` is a class of FORMAT.md, "Order of checks". */
export class CodecError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = "CodecError";
    this.kind = kind;
  }
}

export const damaged = (message) => new CodecError("damaged", message);
export const newer = (message) => new CodecError("newer", message);
export const incomplete = (message) => new CodecError("incomplete", message);
export const wrongModel = (message) => new CodecError("model", message);
