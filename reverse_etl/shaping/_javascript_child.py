"""The process that calls a transform in JavaScript: columns of JSON in and out. Started by ``process``.

JSON text alone crosses the border: QuickJS cuts Python's integers to 32 bits. A row that is interrupted is noted, and
the rest goes on in the same context.
"""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any, Final

import quickjs

from reverse_etl.shaping._child import Pipe, limit_memory, progress

_MEMORY_BYTES: Final = 256 * 1024 * 1024
_STACK_BYTES: Final = 512 * 1024
_STEP_S: Final = 0.05
"""About how long the function is called in one go."""

_LINE: Final = re.compile(r"<(?:input|eval)>:(\d+)")

DRIVER: Final = """
(() => {
  let cols, names, rows, at, out, errors;
  const line = (e) => Number((/<(?:input|eval)>:(\\d+)/.exec((e && e.stack) || "") || [0, 0])[1]);
  const given = (v, k) => {
    if (typeof v === "number") {
      if (Number.isSafeInteger(v) || (Number.isFinite(v) && !Number.isInteger(v))) return v;
      const e = new RangeError(k);
      e.stack = "";
      throw e;
    }
    if (typeof v === "bigint") return v.toString();
    if (v instanceof Date) return v.toISOString();
    return v;
  };
  const one = (i) => {
    const row = {};
    for (let j = 0; j < names.length; j++) row[names[j]] = cols[j][i];
    try {
      const r = transform(row);
      if (r === null) { errors.push([i, "left_out", "", 0]); return; }
      if (typeof r !== "object" || Array.isArray(r) || r instanceof Promise || r instanceof Date) {
        errors.push([i, "no_object", Array.isArray(r) ? "array" : r instanceof Promise ? "Promise" : typeof r, 0]);
        return;
      }
      const keys = Object.keys(r);
      for (let j = 0; j < keys.length; j++) {
        const k = keys[j], v = r[k];
        if (v === undefined) continue;
        (out[k] ??= new Array(rows).fill(null))[i] = typeof v === "string" ? v : given(v, k);
      }
    } catch (e) {
      for (const k in out) out[k][i] = null;
      errors.push([i, "raised", e instanceof Error ? e.name : "Error", line(e)]);
    }
  };
  globalThis.__load = (text) => {
    const read = JSON.parse(text);
    names = Object.keys(read.columns); cols = names.map((k) => read.columns[k]); rows = read.rows; at = 0;
    out = Object.create(null); errors = [];
  };
  globalThis.__run = (until) => { for (; at < until; at++) one(at); };
  globalThis.__skip = (kind, name) => { errors.push([at, kind, name, 0]); at++; return at; };
  globalThis.__result = () => {
    const text = JSON.stringify({ out, errors });
    out = errors = cols = null;
    return text;
  };
})();
"""


def main() -> None:
    """Reads the function, then batches until there are no more."""
    pipe, at = Pipe(), progress(int(sys.argv[1]))
    start = json.loads(pipe.read() or b"{}")
    limit_memory()
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_BYTES)
    context.set_max_stack_size(_STACK_BYTES)
    # Processor time, of which a machine under load gives less than a second in a second.
    context.set_time_limit(start["row_s"] / 2)
    try:
        context.eval(start["source"])
        context.eval(DRIVER)
    except quickjs.JSException as error:
        line = _LINE.search(str(error))
        name = str(error).partition(":")[0].partition("\n")[0]
        pipe.write(json.dumps([name, int(line.group(1)) if line else 0]).encode())
        return
    pipe.write(b"")
    while (message := pipe.read()) is not None:
        step, rows = int.from_bytes(message[:8], "little"), int.from_bytes(message[8:16], "little")
        pipe.write(_batch(context, message[16:].decode(), rows, at, step))


def _batch(context: Any, text: str, rows: int, at: Any, step: int) -> bytes:
    """The result of all rows, at most ``step`` of them at once."""
    load, run, skip, result = (context.get(name) for name in ("__load", "__run", "__skip", "__result"))
    load(text)
    place, size = 0, min(step, 16)
    while place < rows:
        until = min(rows, place + size)
        at[0], at[1] = place, until - place
        began = time.monotonic()
        try:
            run(until)
            place = until
        except quickjs.JSException as error:
            timed_out = "interrupted" in str(error)
            place = skip("timed_out" if timed_out else "raised", "InternalError")
        took = time.monotonic() - began
        size = max(1, min(step, size * 2 if took < _STEP_S else size // 2 if took > 2 * _STEP_S else size))
    encoded: bytes = result().encode()
    return encoded
