#!/usr/bin/env python3
"""Django's own command line, for the environment that `python3 run.py` made: `.venv/bin/python manage.py help`."""

import gc
import os
import sys

# As gateway/child.py has it: Python's own 700 young objects make the collector a fifth of what a command's start takes.
gc.set_threshold(20_000, *gc.get_threshold()[1:])

_UNDEFINED_TABLE = "42P01"  # PostgreSQL, "Error Codes"

try:
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    from gateway import advice
    from gateway.environment import EnvironmentInvalid
except ModuleNotFoundError as error:
    if error.name not in ("django", "pydantic"):
        raise
    typed = " ".join(["manage.py", *sys.argv[1:]])
    sys.stderr.write(f"Django is not in this Python. Type: .venv/bin/python {typed}\n")
    sys.exit(2)


def main(arguments: list[str]) -> int:
    """Exit code: 2 where the environment is at fault, 1 where the database is; each is said in one line."""
    try:
        execute_from_command_line(arguments)
    except EnvironmentInvalid as problem:
        return _said(str(problem), 2)
    except (OperationalError, ProgrammingError) as problem:
        if "--traceback" in arguments or not _is_of_the_installation(problem):
            raise
        what = f"The database does not answer, or lacks tables. Type: {advice.doctor()}"
        return _said(f"{what} (--traceback shows its own words)", 1)  # which tell of users and hosts
    return 0


def _is_of_the_installation(problem: OperationalError | ProgrammingError) -> bool:
    """For a table that is not there PostgreSQL has the other kind of error, which otherwise is a fault of ours."""
    return isinstance(problem, OperationalError) or getattr(problem.__cause__, "sqlstate", "") == _UNDEFINED_TABLE


def _said(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    sys.exit(main(sys.argv))
