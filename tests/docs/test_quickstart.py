"""docs/quickstart.md, run as it stands: block after block, and a person who does what the page says in between."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from examples.tour.person import Person, Visit
from tests.docs.markdown import ROOT, SHELL, Block, read

pytestmark = pytest.mark.sqlite_only

PAGE = read(ROOT / "docs" / "quickstart.md")
#: Run by the session's instance, which is at another place than a newcomer's.
STARTS = ("git clone REPOSITORY sluice && cd sluice", "python3 run.py")
COMMANDS_MAX = 10
WAIT_SECONDS = 60
#: Blocks of either way, by what they are for.
STEPS = ("prepare", "ask", "token", "accounts", "balances", "again")


def blocks(label: str) -> dict[str, Block]:
    return dict(zip(STEPS, [block for block in PAGE.blocks if block.label == label], strict=True))


class Human:
    """Whoever sits at the browser meanwhile."""

    def __init__(self, instance: dict[str, Any], user: dict[str, str]) -> None:
        self.visit = Visit(instance["banks"][0], "happy")
        self.person = Person(instance, user)
        self.portal = instance["portal"]

    def allow(self, link: str) -> None:
        """Follows the link to its end, as a browser does: to the redirect URI, where the terminal waits."""
        requests.get(self.person.answer(link, [self.visit]), timeout=20)

    def stop(self) -> None:
        page = self.person.browser.open(self.portal)
        page = self.person.go(page, "Stop sharing")
        self.person.go(page, "Stop sharing")


class Bash:
    """One shell that keeps its variables from block to block."""

    def __init__(self, directory: str) -> None:
        self.said = Path(directory) / "stderr"
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            ["bash"],
            cwd=directory,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said.open("w"),
            text=True,
        )

    def run(self, block: str) -> str:
        """What it prints; every command of it must succeed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{block}\nprintf '\\036%s\\n' \"$?\"\n")
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            before, mark, code = line.partition("\x1e")
            printed.append(before)
            if mark:
                assert code.strip() == "0", f"{block}\n{''.join(printed)}{self.said.read_text()}"
                return "".join(printed)
        raise AssertionError(f"the shell ended: {self.said.read_text()}")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def bash(instance: dict[str, Any]) -> Iterator[Bash]:
    shell = Bash(instance["directory"])
    yield shell
    shell.end()


def when_told(link: Callable[[], str | None], human: Human) -> Thread:
    """As soon as the terminal has printed its link, the human opens it."""

    def work() -> None:
        until = time.monotonic() + WAIT_SECONDS
        while (found := link()) is None and time.monotonic() < until:
            time.sleep(0.05)
        assert found is not None
        human.allow(found)

    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def link_in(text: str) -> str | None:
    return next((line.strip() for line in text.splitlines() if "/oauth/authorize?" in line), None)


def repeated(read_balances: Callable[[], str], is_there: Callable[[str], bool]) -> str:
    """The page says so: until the bank has answered for the first time, say it again."""
    until = time.monotonic() + WAIT_SECONDS
    while not is_there(said := read_balances()):
        assert time.monotonic() < until, said
        time.sleep(0.2)
    return said


def test_the_page_has_ten_commands_at_the_most_and_both_ways_have_the_same_steps() -> None:
    shell = [block for block in PAGE.blocks if block.language in SHELL]

    assert [block.text for block in shell if not block.label] == list(STARTS)
    assert len(PAGE.commands()) <= COMMANDS_MAX
    assert f"{['eight', 'nine', 'ten'][len(PAGE.commands()) - 8]} commands" in (ROOT / PAGE.name).read_text()
    assert set(blocks("curl")) == set(blocks("Python")) == set(STEPS)


def test_the_way_of_curl_leads_to_balances_and_to_the_refusal(instance: dict[str, Any], bash: Bash) -> None:
    steps, human = blocks("curl"), Human(instance, instance["users"][0])

    bash.run(steps["prepare"].text)
    thread = when_told(lambda: link_in(bash.said.read_text()), human)
    bash.run(steps["ask"].text)
    thread.join(WAIT_SECONDS)
    bash.run(steps["token"].text)
    bash.run(steps["accounts"].text)
    said = repeated(lambda: bash.run(steps["balances"].text), lambda text: json.loads(text)["as_of"] is not None)
    human.stop()
    refused = bash.run(steps["again"].text)

    assert {balance["currency"] for balance in json.loads(said)["balances"]} == {"GBP"}
    assert refused.endswith("401\n")
    assert "invalid_token" in refused


def test_the_way_of_python_leads_to_balances_and_to_the_refusal(
    instance: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, human = blocks("Python"), Human(instance, instance["users"][1])
    told = (Path(instance["directory"]) / "var" / "platform.env").read_text()
    for line in told.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}

    def run(step: str) -> str:
        exec(compile(steps[step].text, f"{PAGE.name}:{steps[step].line}", "exec"), names)
        return capsys.readouterr().out

    run("prepare")
    said: list[str] = []
    monkeypatch.setattr(sys, "stderr", Recorder(said))
    thread = when_told(lambda: link_in("".join(said)), human)
    run("ask")
    monkeypatch.undo()
    thread.join(WAIT_SECONDS)
    run("token")
    account = run("accounts")
    balances = repeated(lambda: run("balances"), lambda text: not text.startswith("None"))
    human.stop()

    assert account.strip()
    assert "'GBP'" in balances
    assert run("again") == "401 invalid_token\n"


class Recorder:
    """Stands in for stderr."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def write(self, text: str) -> int:
        self._said.append(text)
        return len(text)

    def flush(self) -> None:
        pass
