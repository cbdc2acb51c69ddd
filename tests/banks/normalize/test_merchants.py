"""One key per merchant: what is the same shop, and above all what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.normalize.merchants import KEY_LENGTH_MAX, merchant_category_code, merchant_key


@pytest.mark.parametrize(
    ("name", "mcc", "key"),
    [
        ("Greenway Market", "5411", "5411:greenway market"),
        ("  GREENWAY   market ", "5411", "5411:greenway market"),
        ("Greenway-Market!", "5411", "5411:greenway market"),
        ("Ｇreenway Market", "5411", "5411:greenway market"),
        ("Green\u200bway Market", "5411", "5411:greenway market"),
        ("Straße 7", "5411", "5411:strasse 7"),
        ("Café", None, "-:café"),
        ("Cafe\u0301", None, "-:café"),
        ("Vet", "742", "0742:vet"),
        ("Shop", "54", "-:shop"),
        (None, "5411", None),
        ("", "5411", None),
        ("***", "5411", None),
        ("_", "5411", None),
    ],
)
def test_the_key(name: str | None, mcc: str | None, key: str | None) -> None:
    assert merchant_key(name, mcc) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Greenway Market", "5411"), ("Greenway Market", "5912")),
        (("Greenway Market", "5411"), ("Greenway Market", None)),
        (("Greenway Market", "5411"), ("Greenway Markets", "5411")),
        (("Cafe", "5814"), ("Café", "5814")),
        (("Hotel 1898", "7011"), ("Hotel 1899", "7011")),
        (("Amazon", "5942"), ("Аmazon", "5942")),  # a Cyrillic A
        (("a" * 200 + "b", "5411"), ("a" * 200 + "c", "5411")),
    ],
)
def test_what_differs_stays_apart(one: tuple[str, str | None], other: tuple[str, str | None]) -> None:
    assert merchant_key(*one) != merchant_key(*other)


@pytest.mark.parametrize(
    ("text", "mcc"),
    [
        ("5411", "5411"),
        ("763", "0763"),
        ("54", None),
        ("54111", None),
        ("54a1", None),
        ("", None),
        (None, None),
        ("٥٤١١", None),
    ],
)
def test_merchant_category_codes(text: str | None, mcc: str | None) -> None:
    assert merchant_category_code(text) == mcc


@given(st.text(max_size=400), st.sampled_from([None, "5411"]))
def test_a_key_fits_its_column(name: str, mcc: str | None) -> None:
    key = merchant_key(name, mcc)

    assert key is None or len(key) <= KEY_LENGTH_MAX


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_case_does_not_count(name: str) -> None:
    assert merchant_key(name.upper(), "5411") == merchant_key(name.lower(), "5411")
