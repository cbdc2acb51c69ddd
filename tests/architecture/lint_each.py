"""Runs in a copy of the tree: import-linter on it as it is, then with each line that breaks a contract, alone.

Reads (contract, file, line) as JSON from standard input; writes (exit code, output) of each run, the first of the tree
as it is. One process for all of them: starting one takes longer than linting.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from importlinter.cli import lint_imports


def lint(*contracts: str) -> tuple[int, str]:
    """All contracts, unless some are named."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = lint_imports(limit_to_contracts=contracts, no_cache=True)
    return code, said.getvalue()


@contextlib.contextmanager
def appended(file: str, line: str) -> Iterator[None]:
    path = Path(file)
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    yield
    if before is None:
        path.unlink()
    else:
        path.write_text(before)


def main() -> None:
    results = [lint()]
    for contract, file, line in json.load(sys.stdin):
        with appended(file, line):
            results.append(lint(contract))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
