#!/usr/bin/env python3
"""Set Sluice up in a Python environment of its own, then run it. Nothing has to be installed first.

Standard library only. Its syntax stays within Python 3.6, so that an older Python is told so in one line instead of a
traceback. A start that finds the environment current installs nothing and is over in a tenth of a second.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

MINIMUM = (3, 11)
ROOT = Path(__file__).resolve().parent


def newer_python():
    # type: () -> str
    """Name of a new enough Python on PATH, or an empty string."""
    names = ["python3.%d" % minor for minor in range(15, MINIMUM[1] - 1, -1)]
    return next((name for name in names if shutil.which(name)), "")


if sys.version_info < MINIMUM or os.name != "posix":
    found = newer_python()
    print(
        "Sluice needs Python 3.11 or newer on Linux or macOS; this is Python %s on %s. %s"
        % (platform.python_version(), platform.system(), "Type: %s run.py" % found if found else "Install it first."),
        file=sys.stderr,
    )
    sys.exit(2)

MARKER = "sluice.json"  # in the environment: what is completely installed there; `{}` while an installation runs
COMMANDS = ("tour", "test", "doctor", "race", "bench")
# What knows the options of a command, by the standard library alone: they are judged before anything is installed.
OPTIONS = {"tour": "examples.tour.options", "race": "tests.race.options", "bench": "tests.benchmarks.options"}
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
# What an activated environment or a user's pip settings would leak into ours.
FOREIGN = (
    *("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"),
    "PYTHONDONTWRITEBYTECODE",  # or each of our processes would compile all of us again at every start
)


class Problem(Exception):
    """Something the user can mend; the text is one line that says what is missing and what to type."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- the environment -------------------------------------------------------------------------------------------------


def directory() -> Path:
    """Where the environment lives: SLUICE_VENV, else `.venv` beside this file."""
    return Path(os.environ.get("SLUICE_VENV") or ROOT / ".venv").absolute()


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def fingerprint(kind: str) -> str:
    """Changes whenever the environment for `kind` ("run" or "dev") has to be installed again."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = {
        "lock": (ROOT / LOCKS[kind]).read_text(),
        "entry points": project["project"].get("entry-points", {}),
        "scripts": project["project"].get("scripts", {}),
        "packages": project.get("tool", {}).get("setuptools", {}),
        "checkout": str(ROOT),  # the project is installed as a pointer to it
        "python": [sys.implementation.name, *sys.version_info[:2]],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def installed(environment: Path) -> dict[str, str] | None:
    """Fingerprints by kind; empty when an installation was cut short; None when no run.py ever worked here."""
    try:
        found = json.loads((environment / MARKER).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_current(environment: Path, kind: str) -> bool:
    marker = installed(environment) or {}
    return marker.get(kind) == fingerprint(kind) and os.access(python_of(environment), os.X_OK)


def mark(environment: Path, fingerprints: dict[str, str]) -> None:
    fresh = environment / (MARKER + ".new")
    fresh.write_text(json.dumps(fingerprints))
    fresh.replace(environment / MARKER)


def prepare(kind: str) -> Path:
    """The environment's Python, with everything for `kind` installed. Raises Problem."""
    environment = directory()
    if not is_current(environment, kind):
        with only_one_installer():
            if not is_current(environment, kind):  # another run.py may have been faster
                install(environment, kind)
    return python_of(environment)


@contextlib.contextmanager
def only_one_installer() -> Iterator[None]:
    """Hold a lock on the checkout's directory itself, so that no lock file is left behind."""
    import fcntl

    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# --- installing ------------------------------------------------------------------------------------------------------


class Rung(NamedTuple):
    """One way of installing: a name, the command that creates the environment, the one that installs into it."""

    name: str
    create: list[str]
    pip: list[str]
    at_once: int = 1  #: how many of it, each with a part of the packages: pip does one thing after the other


def install(environment: Path, kind: str) -> None:
    """Install `kind` with the first installer of the ladder that works; the marker is written last."""
    make_room(environment)
    rungs = ladder(environment)
    for number, rung in enumerate(rungs, start=1):
        try:
            install_with(rung, environment, kind)
            break
        except Problem as problem:
            if number == len(rungs):
                raise
            say(f"{problem} Trying {rungs[number].name} instead.")
            if installed(environment) is not None:
                begin(environment)
    mark(environment, {each: fingerprint(each) for each in (LOCKS if kind == "dev" else [kind])})


def install_with(rung: Rung, environment: Path, kind: str) -> None:
    lock = ROOT / LOCKS[kind]
    started = time.monotonic()
    if not os.access(python_of(environment), os.X_OK):
        say(f"Creating the environment {environment} ({rung.name})")
        call(rung.create, environment)
    packages = entries(lock.read_text())
    say(f"Installing {len(packages)} packages from {lock.name} ({rung.name}); only a first start does this")
    with tempfile.TemporaryDirectory(prefix="sluice-") as directory:
        parts = [Path(directory) / f"{lock.stem}-{number}.lock" for number in range(rung.at_once)]
        for number, part in enumerate(parts):
            part.write_text("".join(packages[number :: rung.at_once]))
        # The lock names everything, so nothing is to be resolved, and no part needs another.
        call_all([[*rung.pip, "--no-deps", "--require-hashes", "-r", str(part)] for part in parts], environment)
    call([*rung.pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], environment)
    # By all processors at once, where pip takes one. What cannot be compiled is an optional part nobody imports here.
    compiling = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0)"
    call([str(python_of(environment)), "-c", compiling, str(environment / "lib")], environment)
    say(f"Installed in {time.monotonic() - started:.0f} s")


def entries(lock: str) -> list[str]:
    """What it says of each package: a line that begins with its name, and those that belong to it."""
    lines = lock.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line[:1].isalpha()]
    return ["".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def ladder(environment: Path) -> list[Rung]:
    """The ways of installing that this machine has, best first. Raises Problem."""
    python = str(python_of(environment))
    rungs: list[Rung] = []
    uv = shutil.which("uv")
    if uv:
        create = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)]
        rungs.append(Rung("uv", create, [uv, "pip", "install", "--quiet", "--python", python]))
    venv = [sys.executable, "-m", "venv"]
    quiet = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"]
    at_once = min(os.cpu_count() or 1, 4)
    if has_module("venv") and has_module("ensurepip"):
        rungs.append(Rung("pip", [*venv, str(environment)], [python, "-m", "pip", *quiet], at_once))
    elif has_module("venv") and has_module("pip"):
        # Debian without python3-venv has no ensurepip, but its pip can install into another environment (pip >= 22.3).
        pip = [sys.executable, "-m", "pip", "--python", python, *quiet]
        rungs.append(Rung("the system's pip", [*venv, "--without-pip", str(environment)], pip, at_once))
    if not rungs:
        raise Problem("This Python can make no environment (ensurepip is missing). Type: apt install python3-venv")
    return rungs


def has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def make_room(environment: Path) -> None:
    """Begin anew where an installation was cut short or another Python installed; leave somebody else's in place."""
    marker = installed(environment)
    working = os.access(python_of(environment), os.X_OK)
    if marker is None and environment.is_dir() and any(environment.iterdir()):
        if not working:
            raise Problem(f"{environment} holds no working Python and was not made here. Type: rm -r {environment}")
        say(f"Using the environment {environment}, which was not made by run.py")
    elif marker and working and (environment / "lib" / "python{}.{}".format(*sys.version_info[:2])).is_dir():
        mark(environment, {})
    else:
        begin(environment)


def begin(environment: Path) -> None:
    """An empty environment, marked as unfinished before anything is in it."""
    if environment.exists():
        say(f"The environment {environment} is incomplete or of another Python; building it again")
        shutil.rmtree(environment)
    environment.mkdir(parents=True)
    mark(environment, {})


def call(command: list[str], environment: Path) -> None:
    call_all([command], environment)


def call_all(commands: list[list[str]], environment: Path) -> None:
    """Run installer commands beside each other, with a sign of life on long ones. Raises Problem, naming the log."""
    log = environment.with_name(environment.name + "-install.log")
    with log.open("w+b") as output:
        processes = [
            subprocess.Popen(
                command, cwd=ROOT, env=clean_environ(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            for command in commands
        ]
        try:
            failed = first_failed(processes)
        finally:
            for process in processes:
                process.kill()  # nothing where it has ended: only one that another's failure or Ctrl-C left behind
                process.wait()
        output.seek(0)
        lines = output.read().decode(errors="replace").split("\n")
    if failed is not None:
        raise Problem(f"{Path(commands[failed][0]).name} failed: {telling(lines)} (all of it: {log}).")
    log.unlink()


def first_failed(processes: list[subprocess.Popen[bytes]]) -> int | None:
    """Place of the first that fails, without waiting for the others; None when all have ended well."""
    started = told = time.monotonic()
    while True:
        codes = [process.poll() for process in processes]
        for place, code in enumerate(codes):
            if code:
                return place
        if None not in codes:
            return None
        time.sleep(0.05)
        if time.monotonic() - told > 5:
            told = time.monotonic()
            say(f"  ... {told - started:.0f} s")


def telling(lines: list[str]) -> str:
    """The line that says most about a failure: the first one naming an error, else the last."""
    spoken = [line.strip() for line in lines if line.strip()] or ["it said nothing"]
    return next((line for line in spoken if line.lower().startswith(("error", "fatal", "×"))), spoken[-1])[:300]


# --- the command line ------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """Complains in one line, without all that could have been typed."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Type: python3 {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="run.py",
        description="Run Sluice and two pretend banks on this machine: no server, nothing to install first.",
        epilog="Without a command: start everything and print where it is. Ctrl-C stops it. For example: "
        "python3 run.py --port 8100, or python3 run.py test tests/consents",
    )
    add_start_options(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("tour", help="walk through a consent from request to revocation", add_help=False)
    test = commands.add_parser(
        "test",
        help="run every check and test, on SQLite and PostgreSQL",
        description="Run the static checks and every test, on SQLite and on a PostgreSQL of its own.",
        epilog="For example: python3 run.py test tests/consents/test_lifecycle.py",
    )
    test.add_argument("paths", nargs="*", metavar="PATH", help="run only these tests, without the static checks")
    test.add_argument("--full", action="store_true", help="also the long tests")
    commands.add_parser("doctor", help="say what is wrong with this installation, and what to type", add_help=False)
    commands.add_parser("race", help="look for a read that gets data after consent was stopped", add_help=False)
    commands.add_parser("bench", help="measure it beside a stock app, on PostgreSQL", add_help=False)
    return top


def add_start_options(top: argparse.ArgumentParser) -> None:
    top.add_argument("--port", type=int, metavar="N", help="port of the gateway (default: 8000, or the next free one)")
    top.add_argument("--bank-port", type=int, metavar="N", help="port of the pretend bank (default: the next one)")
    top.add_argument("--card-port", type=int, metavar="N", help="port of the pretend card issuer (default: the next)")
    top.add_argument("--with-example", action="store_true", help="also run the sample platform, a budgeting app")
    top.add_argument("--example-port", type=int, metavar="N", help="its port (default: the next); runs it, too")
    top.add_argument("--data-directory", metavar="DIR", help="where the data is kept (default: var)")
    top.add_argument("--reset", action="store_true", help="begin with an empty data directory")
    top.add_argument("--json", action="store_true", help="print one line of JSON when ready; all else on stderr")


def command(arguments: list[str]) -> tuple[str, list[str]]:
    """(environment needed, what its Python is to run) for a command line; leaves with a message on a wrong one.

    Raises Problem when the tests it names are not there.
    """
    refuse_unknown(arguments)
    chosen, rest = parser().parse_known_args(arguments)
    if chosen.command == "doctor":
        raise Problem("Options of the doctor's come after it. Type: python3 run.py doctor --help")
    if chosen.command and start_options(chosen):
        parser().error(f"with {chosen.command} there is no {' '.join(start_options(chosen))}")
    if chosen.command in OPTIONS:
        importlib.import_module(OPTIONS[chosen.command]).parser(Parser).parse_args(rest)
    if chosen.command == "tour":
        return "run", ["-m", "examples.tour", *rest]
    if chosen.command == "race":
        return "dev", ["-m", "tests.race.command", *rest]
    if chosen.command == "bench":
        return "dev", ["-m", "tests.benchmarks.command", "--from", str(Path.cwd()), *rest]
    if rest:
        parser().error("unrecognized arguments: " + " ".join(rest))
    if chosen.command == "test":
        tests = [absolute_test(path) for path in chosen.paths]
        missing = [test for test in tests if not Path(test.partition("::")[0]).exists()]
        if missing:
            raise Problem(f"There is no {', no '.join(missing)}.")
        full = ["--full"] if chosen.full else []
        return "dev", ["-m", "tests.command", *full, *tests]
    return "run", ["-m", "gateway.supervisor", *start_options(chosen)]


def refuse_unknown(arguments: list[str]) -> None:
    """Leave with a message on an option before the command that there is none of.

    argparse keeps such a one for later, takes its value for the command, and complains of that.
    """
    top = parser()
    known = [option for action in top._actions for option in action.option_strings]
    for word in itertools.takewhile(lambda word: word not in COMMANDS, arguments):
        typed = word.partition("=")[0]
        if word.startswith("--") and not any(option.startswith(typed) for option in known):
            top.error("unrecognized arguments: " + word)


def doctor(arguments: list[str]) -> tuple[str, list[str]]:
    """(Python, what it is to run). Whatever is installed, even nothing: the doctor is asked when things are bad."""
    environment = directory()
    python = python_of(environment)
    if not os.access(python, os.X_OK):
        return sys.executable, ["-m", "gateway.doctor", "--packages", "missing", *arguments]
    state = "current" if is_current(environment, "run") else "stale"
    return str(python), ["-m", "gateway.doctor", "--packages", state, *arguments]


def start_options(chosen: argparse.Namespace) -> list[str]:
    """What was typed, each option once and in full; the directory made independent of the working directory."""
    options: list[str] = []
    for name in ("port", "bank_port", "card_port", "example_port"):
        number = getattr(chosen, name)
        if number is not None:
            options += ["--" + name.replace("_", "-"), str(number)]
    options += ["--" + name.replace("_", "-") for name in ("with_example", "reset", "json") if getattr(chosen, name)]
    if chosen.data_directory:
        options += ["--data-directory", str(Path(chosen.data_directory).absolute())]
    return options


def absolute_test(path: str) -> str:
    """`tests/a.py::test_b` as typed, made independent of the working directory."""
    file, separator, node = path.partition("::")
    return str(Path(file).absolute()) + separator + node


def main(arguments: list[str]) -> None:
    try:
        if arguments[:1] == ["doctor"]:
            python, rest = doctor(arguments[1:])
        else:
            kind, rest = command(arguments)
            python = str(prepare(kind))
        os.chdir(ROOT)
        os.execve(python, [python, *rest], clean_environ())
    except Problem as problem:
        say(str(problem))
    except OSError as error:
        say(f"{error.strerror or error}: {error.filename or ROOT}")
    except KeyboardInterrupt:
        say("Interrupted; the next start carries on from here.")
        sys.exit(130)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
