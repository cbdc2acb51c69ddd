"""run.py: which way of installing it takes, when it installs at all, and that it fails in one line."""

import ast
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "run.py"
PYPROJECT = """
[project]
name = "sluice"
[project.entry-points."banks.connectors"]
one = "banks.one:One"
[tool.ruff]
line-length = 120
"""


def original() -> ModuleType:
    """Run.py with its own way of calling installers."""
    spec = importlib.util.spec_from_file_location("run_original", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """run.py over a checkout of its own, with nothing on PATH, its installer commands recorded in `run.calls`."""
    module = original()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    (checkout / "requirements.lock").write_text("django==5\n")
    (checkout / "requirements-dev.lock").write_text("django==5\npytest==9\n")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("SLUICE_VENV", raising=False)
    monkeypatch.setattr(module, "ROOT", checkout)
    monkeypatch.setattr(module, "calls", [], raising=False)
    monkeypatch.setattr(module, "parts", [], raising=False)
    monkeypatch.setattr(module, "call_all", recorder(module))
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    return module


def recorder(run: ModuleType, broken: str = "") -> Callable[[list[list[str]], Path], None]:
    """Stands in for running installers: notes the command, makes what it would make, fails those named `broken`."""

    def call(command: list[str], environment: Path) -> None:
        run.calls.append(" ".join(command))
        for part in filter(lambda word: word.endswith(".lock"), command):
            run.parts.append(Path(part).read_text())
        if broken and broken in run.calls[-1]:
            raise run.Problem(f"{broken} failed.")
        if "venv" in command:
            (environment / "bin").mkdir(exist_ok=True)
            (environment / "bin" / "python").symlink_to(sys.executable)
            (environment / "lib" / "python{}.{}".format(*sys.version_info[:2])).mkdir(parents=True)

    def call_all(commands: list[list[str]], environment: Path) -> None:
        for command in commands:
            call(command, environment)

    return call_all


def with_uv(tmp_path: Path) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)


def without(run: ModuleType, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr(run, "has_module", lambda name: name not in modules)


def test_uv_is_preferred_and_pip_stands_behind_it(run: ModuleType, tmp_path: Path) -> None:
    with_uv(tmp_path)

    assert [rung.name for rung in run.ladder(run.directory())] == ["uv", "pip"]


def test_without_uv_the_environments_own_pip_installs(run: ModuleType) -> None:
    run.prepare("run")

    created, packages, project, compiled = run.calls
    python = str(run.directory() / "bin" / "python")
    assert created == f"{sys.executable} -m venv {run.directory()}"
    assert packages.startswith(f"{python} -m pip install")
    assert "--no-deps --require-hashes -r " in packages
    assert run.parts == [(run.ROOT / "requirements.lock").read_text()]
    assert project.endswith(f"--no-deps --no-build-isolation -e {run.ROOT}")
    assert "--no-compile" in packages and "--no-compile" in project
    assert compiled.startswith(f"{python} -c ") and compiled.endswith(f"workers=0) {run.directory() / 'lib'}")


def test_every_processor_installs_its_part_of_the_packages(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = "one==1 \\\n    --hash=sha256:aa\ntwo==2 ; os_name == 'nt' \\\n    --hash=sha256:bb\nthree==3\n"
    (run.ROOT / "requirements.lock").write_text(lock)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 2)

    run.prepare("run")

    assert len(run.calls) == 5
    assert run.parts == [
        "one==1 \\\n    --hash=sha256:aa\nthree==3\n",
        "two==2 ; os_name == 'nt' \\\n    --hash=sha256:bb\n",
    ]


def test_uv_is_given_all_at_once(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_uv(tmp_path)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 2)

    run.prepare("dev")

    assert run.parts == [(run.ROOT / "requirements-dev.lock").read_text()]


def test_without_ensurepip_the_systems_pip_installs(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    without(run, monkeypatch, "ensurepip")

    run.prepare("run")

    assert "--without-pip" in run.calls[0]
    assert run.calls[1].startswith(f"{sys.executable} -m pip --python {run.directory() / 'bin' / 'python'} install")


@pytest.mark.parametrize("missing", [("ensurepip", "pip"), ("venv",)])
def test_without_any_installer_one_line_names_the_package(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: tuple[str, ...]
) -> None:
    without(run, monkeypatch, *missing)

    with pytest.raises(SystemExit) as left:
        run.main([])

    assert left.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "This Python can make no environment (ensurepip is missing). Type: apt install python3-venv"
    ]


def test_failing_uv_gives_way_to_pip(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_uv(tmp_path)
    monkeypatch.setattr(run, "call_all", recorder(run, broken="uv pip"))

    run.prepare("run")

    assert run.is_current(run.directory(), "run")
    assert "-m pip install" in run.calls[-2]


def test_second_start_installs_nothing(run: ModuleType) -> None:
    run.prepare("run")
    run.calls.clear()

    assert run.prepare("run") == run.directory() / "bin" / "python"
    assert run.calls == []


def test_environment_for_tests_also_runs_but_not_the_reverse(run: ModuleType) -> None:
    run.prepare("run")
    run.calls.clear()

    run.prepare("dev")
    assert "requirements-dev-0.lock" in run.calls[0]
    run.calls.clear()

    run.prepare("run")
    assert run.calls == []


def test_changed_lock_is_installed_into_the_same_environment(run: ModuleType) -> None:
    run.prepare("run")
    run.calls.clear()
    (run.ROOT / "requirements.lock").write_text("django==6\n")

    run.prepare("run")

    assert len(run.calls) == 3
    assert not any(" -m venv " in call for call in run.calls)


def test_changed_entry_points_install_again_and_other_settings_do_not(run: ModuleType) -> None:
    run.prepare("run")
    run.calls.clear()

    (run.ROOT / "pyproject.toml").write_text(PYPROJECT.replace("120", "100"))
    run.prepare("run")
    assert run.calls == []

    (run.ROOT / "pyproject.toml").write_text(PYPROJECT.replace("banks.one", "banks.two"))
    run.prepare("run")
    assert len(run.calls) == 3


def test_interrupted_installation_is_built_again_from_nothing(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "call_all", recorder(run, broken="--require-hashes"))
    with pytest.raises(run.Problem):
        run.prepare("run")
    rest = run.directory() / "half-unpacked"
    rest.touch()
    run.calls.clear()
    monkeypatch.setattr(run, "call_all", recorder(run))

    run.prepare("run")

    assert not rest.exists()
    assert " -m venv " in run.calls[0]


def test_unreadable_marker_counts_as_interrupted(run: ModuleType) -> None:
    run.prepare("run")
    (run.directory() / run.MARKER).write_text('{"run": "abc')
    run.calls.clear()

    run.prepare("run")

    assert " -m venv " in run.calls[0]


def test_environment_whose_python_is_gone_is_built_again(run: ModuleType) -> None:
    run.prepare("run")
    (run.directory() / "bin" / "python").unlink()
    run.calls.clear()

    run.prepare("run")

    assert " -m venv " in run.calls[0]


def test_environment_of_another_python_is_built_again(run: ModuleType) -> None:
    run.prepare("run")
    library = next((run.directory() / "lib").iterdir())
    library.rename(library.with_name("python3.1"))
    (run.ROOT / "requirements.lock").write_text("django==6\n")
    run.calls.clear()

    run.prepare("run")

    assert " -m venv " in run.calls[0]


def test_environment_made_by_someone_else_is_used_and_never_deleted(run: ModuleType) -> None:
    kept = run.directory() / "kept"
    (run.directory() / "bin").mkdir(parents=True)
    (run.directory() / "bin" / "python").symlink_to(sys.executable)
    kept.touch()

    run.prepare("run")

    assert kept.exists()
    assert not any(" -m venv " in call for call in run.calls)


def test_directory_that_is_no_environment_is_left_alone(run: ModuleType) -> None:
    kept = run.directory() / "photos"
    kept.mkdir(parents=True)

    with pytest.raises(run.Problem, match="holds no working Python"):
        run.prepare("run")

    assert kept.exists()


def test_environment_may_live_elsewhere(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_VENV", str(tmp_path / "elsewhere"))

    assert run.prepare("run") == tmp_path / "elsewhere" / "bin" / "python"


def test_activated_environment_and_pip_settings_do_not_leak_in(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in run.FOREIGN:
        monkeypatch.setenv(name, "foreign")

    assert not set(run.FOREIGN) & set(run.clean_environ())


def test_failed_installer_is_quoted_in_one_line_with_its_log(tmp_path: Path) -> None:
    module = original()

    with pytest.raises(module.Problem) as failure:
        module.call(["/bin/sh", "-c", "echo collecting; echo ERROR: no space left; exit 1"], tmp_path / ".venv")

    assert str(failure.value) == (f"sh failed: ERROR: no space left (all of it: {tmp_path / '.venv-install.log'}).")
    assert "collecting" in (tmp_path / ".venv-install.log").read_text()


def test_what_runs_beside_a_failed_installer_is_ended(tmp_path: Path) -> None:
    module = original()
    long = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]
    began = time.monotonic()

    with pytest.raises(module.Problem, match="sh failed: ERROR: no space left"):
        module.call_all([long, ["/bin/sh", "-c", "sleep 1; echo ERROR: no space left; exit 1"]], tmp_path / ".venv")

    assert time.monotonic() - began < 60


def test_commands_name_their_module_and_environment(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    assert run.command([]) == ("run", ["-m", "gateway.supervisor"])
    assert run.command(["--port", "81", "--json"]) == ("run", ["-m", "gateway.supervisor", "--port", "81", "--json"])
    assert run.command(["--with-example", "--example-port", "84"])[1][2:] == ["--example-port", "84", "--with-example"]
    assert run.command(["--data-directory", "d"])[1] == ["-m", "gateway.supervisor", "--data-directory", "/d"]
    assert run.command(["--data-directory=d", "--reset"])[1][2:] == ["--reset", "--data-directory", "/d"]
    assert run.command(["--bank-port", "82", "--card-port", "83", "--data", "d", "--json"])[1][2:] == [
        *("--bank-port", "82", "--card-port", "83", "--json", "--data-directory", "/d"),
    ]
    assert run.command(["tour"]) == ("run", ["-m", "examples.tour"])
    assert run.command(["test", "--full", "tmp::b"]) == ("dev", ["-m", "tests.command", "--full", "/tmp::b"])
    assert run.command(["race", "--reads", "9"]) == ("dev", ["-m", "tests.race.command", "--reads", "9"])
    assert run.command(["bench", "--json", "f", "--only", "page"]) == (
        "dev", ["-m", "tests.benchmarks.command", "--from", "/", "--json", "f", "--only", "page"],
    )  # fmt: skip


def test_tests_that_do_not_exist_are_refused_in_one_line_before_anything_is_installed(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as left:
        run.main(["test", "bin", "tests/nope.py::test_it"])

    assert left.value.code == 2
    assert capsys.readouterr().err == f"There is no {tmp_path / 'tests' / 'nope.py'}::test_it.\n"
    assert run.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        "--prot 1", "fly", "--port x", "test --fast", "tour --slow", "race --nonsense", "race --reads 0", "race 9",
        "bench --only nonsense", "bench --rows 99", "bench --rows x", "--port 81 race", "--json tour",
    ],
)  # fmt: skip
def test_mistyped_command_line_is_refused_in_one_line_before_anything_is_installed(
    run: ModuleType, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run.main(wrong.split())

    assert left.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.endswith(" --help")
    assert run.calls == []
    assert not run.directory().exists()


@pytest.mark.parametrize("command", ["tour", "test", "race", "bench"])
def test_every_command_is_explained_before_anything_is_installed(
    run: ModuleType, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run.main([command, "--help"])

    assert left.value.code == 0
    assert f"For example: python3 run.py {command}" in " ".join(capsys.readouterr().out.split())
    assert run.calls == []
    assert not run.directory().exists()


def test_what_judges_a_command_line_needs_nothing_that_is_installed(run: ModuleType) -> None:
    code = f"""
import importlib, sys
before = set(sys.modules)
for name in {sorted(run.OPTIONS.values())}:
    importlib.import_module(name).parser()
print(*{{name.partition(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names))
"""
    bare = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]

    done = subprocess.run(bare, capture_output=True, text=True, timeout=60)

    assert set(done.stdout.split()) == {"examples", "tests"}, done.stderr


@pytest.mark.parametrize("wrong", [["--prot", "9"], ["--json", "--prot=9", "test"], ["--prot", "9", "tour"]])
def test_it_is_the_unknown_option_that_is_complained_of_and_not_what_follows_it(
    run: ModuleType, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run.main(wrong)

    assert "unrecognized arguments: --prot" in capsys.readouterr().err


def test_help_of_the_tests_says_what_they_are_and_gives_an_example(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run.main(["test", "--help"])

    assert left.value.code == 0
    helped = " ".join(capsys.readouterr().out.split())
    assert "Run the static checks and every test" in helped
    example = helped.partition("For example: python3 run.py test ")[2]
    assert (ROOT / example).is_file()


def test_every_command_is_known_where_options_are_looked_at(run: ModuleType) -> None:
    choices = next(action.choices for action in run.parser()._actions if action.dest == "command")

    assert set(choices) == set(run.COMMANDS)


def test_syntax_is_one_that_old_pythons_can_read() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def test_old_python_is_told_so_in_one_line() -> None:
    pretend = f"import runpy, sys; sys.version_info = (3, 8, 0); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"

    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Sluice needs Python 3.11 or newer" in done.stderr


def test_packages_are_compiled_and_what_cannot_be_ends_nothing(tmp_path: Path) -> None:
    """The command that installing ends with, as it stands in the script."""
    (tmp_path / "good.py").write_text("answer = 42")
    (tmp_path / "bad.py").write_text("print 'of another Python'")
    (text,) = re.findall(r'compiling = "(.*)"', SCRIPT.read_text())

    done = subprocess.run([sys.executable, "-c", text, str(tmp_path)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [file.name.partition(".")[0] for file in (tmp_path / "__pycache__").iterdir()] == ["good"]
