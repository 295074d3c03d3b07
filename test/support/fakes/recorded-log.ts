// A log that records its lines as text, for tests of what must be logged and of what must never be.

import type { Log, LogFields } from "../../../src/ports/ports.ts";

export class RecordedLog implements Log {
  readonly lines: string[] = [];

  info(event: string, fields: LogFields = {}) {
    this.lines.push(`info ${event} ${JSON.stringify(fields)}`);
  }

  warn(event: string, fields: LogFields = {}) {
    this.lines.push(`warn ${event} ${JSON.stringify(fields)}`);
  }

  error(event: string, cause: unknown, fields: LogFields = {}) {
    this.lines.push(`error ${event} ${JSON.stringify(fields)} ${cause}`);
  }
}
