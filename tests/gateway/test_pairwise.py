"""Ids as one platform sees them: reversible by us alone, and of no use beside another platform's."""

import base64
import re
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway import pairwise

CHAT, BUDGET = UUID(int=1), UUID(int=2)
VALUE = UUID("0190a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b")


@pytest.fixture(autouse=True)
def fresh_keys() -> Iterator[None]:
    """Derived keys are kept per process: forgotten around each test, because one of them changes the root."""
    pairwise._cipher.cache_clear()
    yield
    pairwise._cipher.cache_clear()


def test_an_id_comes_back_for_the_platform_and_kind_it_was_made_for() -> None:
    for value in (VALUE, UUID(int=0), UUID(int=2**128 - 1), *(uuid4() for _ in range(50))):
        assert pairwise.decode("acc", CHAT, pairwise.encode("acc", CHAT, value)) == value


def test_an_id_is_its_kind_and_thirty_two_hex_digits_that_do_not_show_ours() -> None:
    text = pairwise.encode("acc", CHAT, VALUE)

    assert re.fullmatch(r"acc_[0-9a-f]{32}", text)
    assert VALUE.hex not in text


def test_the_same_row_is_always_the_same_id_for_one_platform() -> None:
    assert pairwise.encode("acc", CHAT, VALUE) == pairwise.encode("acc", CHAT, VALUE)


def test_two_platforms_get_different_ids_and_cannot_use_each_others() -> None:
    ours, theirs = pairwise.encode("acc", CHAT, VALUE), pairwise.encode("acc", BUDGET, VALUE)

    assert ours != theirs
    assert pairwise.decode("acc", BUDGET, ours) != VALUE


def test_two_kinds_get_different_ids_and_one_is_not_taken_for_the_other() -> None:
    digits = {kind: pairwise.encode(kind, CHAT, VALUE)[4:] for kind in ("acc", "txn", "con")}

    assert len(set(digits.values())) == 3
    assert pairwise.decode("acc", CHAT, "txn_" + digits["txn"]) is None
    assert pairwise.decode("acc", CHAT, "acc_" + digits["txn"]) != VALUE


def test_neighbouring_rows_are_no_neighbours_outside() -> None:
    first, second = (int(pairwise.encode("acc", CHAT, UUID(int=n))[4:], 16) for n in (1000, 1001))

    assert abs(first - second) > 2**64


def test_many_at_once_are_the_same_as_one_by_one_and_in_order() -> None:
    values = [uuid4() for _ in range(100)]

    assert pairwise.encode_all("txn", CHAT, values) == [pairwise.encode("txn", CHAT, value) for value in values]
    assert pairwise.encode_all("txn", CHAT, []) == []
    assert pairwise.encode_all("txn", CHAT, iter(values[:1])) == [pairwise.encode("txn", CHAT, values[0])]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acc_",
        "acc",
        "0" * 32,
        "_" + "0" * 32,
        "acc_" + "0" * 31,
        "acc_" + "0" * 33,
        "acc_" + "0" * 32 + "\n",
        " acc_" + "0" * 32,
        "acc_" + "A" * 32,
        "acc_" + "g" * 32,
        "ACC_" + "0" * 32,
        "acc-" + "0" * 32,
        "acc_" + "٠" * 32,  # digits, but not ours
        "txn_" + "0" * 32,
        str(VALUE),
        "acc_" + str(VALUE),
    ],
)
def test_another_shape_or_kind_is_nothing(text: str) -> None:
    assert pairwise.decode("acc", CHAT, text) is None


def test_under_another_root_key_the_same_row_is_another_id(settings: Any) -> None:
    """Why that key never rotates."""
    before = pairwise.encode("acc", CHAT, VALUE)
    settings.PAIRWISE_ROOT_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
    pairwise._cipher.cache_clear()

    assert pairwise.encode("acc", CHAT, VALUE) != before
    assert pairwise.decode("acc", CHAT, before) != VALUE
