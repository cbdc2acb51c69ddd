"""The tour is what a newcomer runs first: it must see every step, and must not be able to see what is not there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from examples.tour.difference import difference

ROOT = Path(__file__).resolve().parents[2]
SERVER = {"consents", "banks", "gateway", "django"}


def test_the_tour_sees_every_step():
    finished = subprocess.run(
        [sys.executable, "-m", "examples.tour"], cwd=ROOT, capture_output=True, text=True, timeout=400
    )

    assert finished.returncode == 0, finished.stdout[-1500:] + finished.stderr[-1500:]
    assert "only with `merchants`: category, channel, mcc, name" in finished.stdout
    assert finished.stdout.count("next read: 401") == 2
    assert "killed: process" in finished.stdout
    assert "Shop till: 10000 transactions" in finished.stdout
    assert "PENDING ->" in finished.stdout
    assert finished.stdout.count("next call of the stopped platform: 403") == 3
    assert "next call of the stopped platform: 401 invalid_token" in finished.stdout
    assert finished.stdout.count("the other platform: reads") == 4
    assert "budget-bot: consent.granted, consent.revoked" in finished.stdout
    assert "Every step was seen" in finished.stdout


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/**/*.py")), ids=lambda file: file.stem)
def test_a_third_party_imports_nothing_of_the_server(file: Path):
    tree = ast.parse(file.read_text())

    imported = {
        (name.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }

    assert not imported & SERVER


WIDER = {"as_of": "1", "rows": [{"id": 1, "shop": {"name": "A"}}, {"id": 2, "shop": {"name": None}}]}


def same(value):
    return value


def without_shop(value):
    return {**value, "rows": [{"id": row["id"]} for row in value["rows"]]}


def with_another_id(value):
    return {**value, "rows": [{"id": row["id"] + 1} for row in value["rows"]]}


def one_row_less(value):
    return {**value, "rows": value["rows"][:1]}


def fetched_later(value):
    return {**value, "as_of": "2"}


def with_a_member_of_its_own(value):
    return {**value, "extra": True}


@pytest.mark.parametrize(
    ("change", "only", "contradicts"),
    [
        (same, set(), False),
        (without_shop, {"rows.shop.name"}, False),
        (with_another_id, {"rows.shop.name"}, True),
        (one_row_less, {"rows.id", "rows.shop.name"}, False),
        (fetched_later, set(), False),
        (with_a_member_of_its_own, set(), True),
    ],
)
def test_the_difference_of_whole_responses_is_named(change, only, contradicts):
    extra, contradicting = difference(WIDER, change(WIDER))

    assert extra == only
    assert bool(contradicting) == contradicts
