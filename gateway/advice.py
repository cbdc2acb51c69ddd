"""What to type, as it has to be typed here: in a checkout, or in the image, which holds no run.py.

Commands of a checkout are those of its pages: typed in its own directory, with the environment that run.py made.
Standard library only.
"""

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_DATA = ROOT / "var"


def manage(arguments: str, data: Path | None = None) -> str:
    """`manage.py` with these arguments, by the Python that has Django, for the instance of `data`, or of this process.

    What a shell must be told goes before it, where it is not the default.
    """
    return " ".join([*_variables(data), _python(), "manage.py", arguments])


def doctor() -> str:
    return "python3 run.py doctor" if _is_checkout() else "python -m gateway.doctor"


def _variables(data: Path | None) -> list[str]:
    if not _is_checkout():
        return []  # the image says where things are
    exported = Path(os.environ.get("SLUICE_DATA_DIRECTORY") or _DATA)
    secrets = os.environ.get("SLUICE_SECRETS_DIRECTORY")
    chosen = data or exported
    told = {}
    if chosen != _DATA or exported != chosen:
        told["SLUICE_DATA_DIRECTORY"] = chosen
    if data and secrets and Path(secrets) != data / "secrets":
        told["SLUICE_SECRETS_DIRECTORY"] = data / "secrets"
    return [f"{name}={shlex.quote(str(path))}" for name, path in told.items()]


def _python() -> str:
    if not _is_checkout():
        return "python"
    # The environment lives elsewhere where SLUICE_VENV says so, and then this is its Python.
    return shlex.quote(sys.executable) if os.environ.get("SLUICE_VENV") else ".venv/bin/python"


def _is_checkout() -> bool:
    return (ROOT / "run.py").is_file()
