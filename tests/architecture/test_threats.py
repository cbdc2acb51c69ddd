"""Each threat of the model has a test that carries its number: `test_t20_...`, or `_t20_` within the name."""

import re
from functools import cache

import pytest

from tests.architecture.source import ROOT

THREATS = {
    1: "another user's, platform's or consent's data is read",
    2: "more is opened than was asked, shown and accepted",
    3: "consent is given again without being asked",
    4: "a platform looks like another one",
    5: "the page is framed, or its form sent from elsewhere",
    6: "one bank's answer is taken for another's",
    7: "a bank's answer comes back to another session",
    8: "a code, a state or a token is used again",
    10: "an address leads inside",
    11: "an answer is huge, slow or a bomb",
    12: "an answer is malformed",
    13: "a bank's tokens are read from the disk",
    14: "a log or an error tells personal data",
    15: "somebody takes over a member of staff",
    16: "one bank's staff reaches another bank's rows",
    17: "somebody guesses, or floods",
    20: "data is read after consent was stopped",
    23: "one row or job kills every worker that takes it",
    24: "an idempotency key opens somebody else's answer, or one that consent has left",
    25: "a cache keeps what it must not",
}


_TEST = re.compile(r"^ *def (test_\w+)\(", re.MULTILINE)


@cache
def _numbers() -> set[int]:
    """Of every test function there is."""
    named = (
        name for file in (ROOT / "tests").rglob("test_*.py") for name in _TEST.findall(file.read_text(encoding="utf-8"))
    )
    return {int(number) for name in named for number in re.findall(r"_t(\d+)(?=_)", name)}


@pytest.mark.parametrize("number", sorted(set(THREATS)), ids=lambda number: f"T{number}")
def test_each_threat_has_a_test_that_carries_its_number(number: int) -> None:
    assert number in _numbers(), THREATS[number]


def test_the_page_for_auditors_has_each_threat_and_no_other() -> None:
    page = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| T(\d+): (.+?) \| .{20,} \|$", page, re.MULTILINE) == [
        (str(number), words) for number, words in THREATS.items()
    ]


def test_no_test_carries_the_number_of_a_threat_that_is_none() -> None:
    assert not {number for number in _numbers() if not 1 <= number <= 26}
