"""Run a module as `python -m` would, but never outlive the supervisor: `python -m gateway.child MODULE [ARGUMENT ...]`.

The supervisor holds the other end of an inherited pipe. When it ends, however it ends, the pipe closes and this process
kills its whole group: granian's workers too, which the kernel's parent-death signal would leave behind.
"""

import gc
import os
import runpy
import signal
import sys
import threading

LIFELINE = "SLUICE_LIFELINE"  # environment variable: file descriptor of the pipe
#: Young objects there may be before the collector looks. Python's own 700 make it a seventh of what a start takes:
#: modules make objects by the hundred thousand, and hardly any garbage.
_YOUNG_OBJECTS = 20_000


def die_with_the_supervisor(lifeline: int) -> None:
    """Block until the supervisor is gone, then kill this process group."""
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    if os.getpgrp() != os.getpid():
        # Killing the group would take the user's shell with it.
        raise SystemExit("gateway.child is started by gateway.supervisor, in a process group of its own")
    lifeline = int(os.environ.pop(LIFELINE))
    threading.Thread(target=die_with_the_supervisor, args=(lifeline,), daemon=True).start()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
