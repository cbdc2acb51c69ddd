"""Each import contract is broken on purpose, on a copy of the tree, and import-linter must see it."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

#: Contract -> each line that breaks it, and the module it is appended to.
BREAKS: dict[str, list[tuple[str, str]]] = {
    "layers": [
        ("consents/policy.py", "from banks import types"),
        ("consents/lifecycle/asking.py", "import gateway.pairwise"),
        ("banks/read.py", "from gateway import pairwise"),
    ],
    "one-seam": [
        ("gateway/api/views.py", "from banks.models import Account"),
        ("gateway/api/views.py", "from banks.models.accounts import Account"),
        ("gateway/portal/accounts.py", "import banks.models"),
        ("banks/tasks.py", "from banks import models"),
        ("banks/registry.py", "def later():\n    from banks.models import Account"),
    ],
    "inner-half": [
        ("gateway/api/reads.py", "from banks import permitted"),
        ("banks/sync.py", "from banks.changes import changes"),
    ],
    "pure-decisions": [
        ("consents/policy.py", "from django.utils import timezone"),
        ("consents/requested.py", "from consents import clock, facts"),
        ("banks/reconcile.py", "from banks.models import Account"),
        ("banks/normalize/money.py", "from rest_framework import serializers"),
    ],
    "pure-connectors": [
        ("banks/dialects/uk_obie/parse.py", "from django.conf import settings"),
        ("banks/dialects/members.py", "from banks import store"),
        ("banks/dialects/oauth_client.py", "from consents import lifecycle"),
        ("banks/http/client.py", "from django.conf import settings"),
    ],
    "connectors-apart": [
        ("banks/dialects/members.py", "from banks.dialects import uk_obie"),
        ("banks/dialects/unplaced.py", "X = 1"),
    ],
    "faces": [
        ("gateway/api/views.py", "from gateway.portal import accounts"),
        ("gateway/portal/consents.py", "from gateway.api import reads"),
        ("gateway/oauth/token.py", "from gateway.api import caller"),
        ("gateway/problems.py", "from gateway.oauth import errors"),
    ],
    "one-exit": [
        ("banks/sync.py", "import urllib3"),
        ("gateway/api/reads.py", "from urllib3 import PoolManager"),
    ],
    "no-other-exit": [
        ("gateway/oauth/clients.py", "import requests"),
        ("banks/dialects/uk_obie/parse.py", "from httpx import get"),
    ],
    "owners-door": [
        ("gateway/api/caller.py", "from consents.ownership import owner_permit"),
        ("gateway/oauth/token.py", "from consents import ownership"),
        ("banks/authority.py", "import consents.ownership"),
    ],
    "sandbox-unseen": [
        ("banks/sync.py", "from banks.sandbox import people"),
        ("gateway/embedded/seed.py", "import banks.sandbox.people"),
    ],
    "sandbox-apart": [
        ("banks/sandbox/people.py", "from banks.types import Money"),
        ("banks/sandbox/people.py", "from consents import clock"),
        ("banks/sandbox/people.py", "import gateway.pairwise"),
    ],
}
CASES = [(contract, file, line) for contract, lines in BREAKS.items() for file, line in lines]


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, object]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["importlinter"]["contracts"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contracts")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "static", "templates")
        )
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def linted(copy: Path) -> list[tuple[int, str]]:
    """Exit code and output: of the copy as it is, then with each of CASES."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "architecture" / "lint_each.py")],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_tree_as_it_is_keeps_every_contract(linted: list[tuple[int, str]]) -> None:
    code, said = linted[0]

    assert code == 0, said
    assert "0 broken" in said


@pytest.mark.parametrize(("contract", "file", "line"), CASES)
def test_one_line_across_a_wall_breaks_its_contract(
    contracts: list[dict[str, object]], linted: list[tuple[int, str]], contract: str, file: str, line: str
) -> None:
    (name,) = [str(one["name"]) for one in contracts if one["id"] == contract]

    code, said = linted[1 + CASES.index((contract, file, line))]

    assert code == 1, said
    assert f"{name} BROKEN" in said


def test_every_contract_is_broken_at_least_once_here_and_tells_what_to_do(contracts: list[dict[str, object]]) -> None:
    assert {one["id"] for one in contracts} == set(BREAKS)
    for one in contracts:
        assert one.get("broken_contract_guidance"), one["id"]


def test_the_pretend_banks_are_kept_from_every_other_module_of_banks(contracts: list[dict[str, object]]) -> None:
    """The list must be written out, because a wildcard would name the pretend banks themselves."""
    (apart,) = [one for one in contracts if one["id"] == "sandbox-apart"]
    siblings = {
        f"banks.{path.stem}"
        for path in (ROOT / "banks").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem not in ("__init__", "sandbox")
    }

    listed = apart["forbidden_modules"]

    assert isinstance(listed, list)
    assert siblings <= set(listed)


def test_what_is_allowed_past_a_contract_is_what_was_argued_for(contracts: list[dict[str, object]]) -> None:
    """A new exception belongs into docs/design-notes.md first."""
    allowed = {str(line) for one in contracts for line in one.get("ignore_imports", [])}  # type: ignore[attr-defined]

    assert allowed == set()
