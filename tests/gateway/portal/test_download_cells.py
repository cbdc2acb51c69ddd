"""A CSV cell is what it says, and nothing that a spreadsheet would run."""

import pytest

from gateway.portal.download.cells import cell, harmless


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://evil.example";"x")',
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "＝1",
        "-",
        "-12.50 GBP",
        "+44 113 496 0000",
    ],
)
def test_what_a_spreadsheet_would_run_has_an_apostrophe_in_front(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-12.50", "0", "12.5", "Corner Books", "a=b", "", "2026-01-01", "'quoted'"])
def test_numbers_and_words_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (-3, "-3"),
        ([], ""),
        (["accounts", "balances"], "accounts; balances"),
        (["=1"], "'=1"),
        ([{"value": "GB33"}], '[{"value": "GB33"}]'),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_every_kind_of_value_has_a_cell(value: object, text: str) -> None:
    assert cell(value) == text
