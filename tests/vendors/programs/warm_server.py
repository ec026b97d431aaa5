"""Runs programs one after the other, each in a fork of a process that has imported their SDK.

A line of JSON on stdin, `{"modules", "program", "argv", "env", "files"}` (files: what becomes
stdin, stdout and stderr), runs one; a line on stdout is its exit code.
"""

import gc
import importlib
import json
import os
import runpy
import sys
import traceback
import warnings
from pathlib import Path


def run(order):
    """What the interpreter does for `python PROGRAM …`; the exit code."""
    os.environ.clear()
    os.environ.update(order["env"])
    modes = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)
    for number, (name, mode) in enumerate(zip(order["files"], modes, strict=True)):
        os.dup2(os.open(name, mode), number)
    sys.stdin = os.fdopen(0)  # what the server has read ahead is not the program's
    warnings.simplefilter(order["env"].get("PYTHONWARNINGS", "default"))
    sys.argv = [order["program"], *order["argv"]]
    sys.path.insert(0, str(Path(order["program"]).parent))
    try:
        runpy.run_path(order["program"], run_name="__main__")
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        for name in order["modules"]:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = run(order)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=out)


main()
