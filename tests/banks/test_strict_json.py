"""The strict parser alone: what it costs to refuse, and that canonical bytes are the value and nothing but it."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.errors import AnswerTooLarge, BankFormatChanged
from banks.strict_json import JsonValue, canonical, parse

MIB = 1024 * 1024


def read(data: bytes) -> JsonValue:
    return parse(data, depth_max=32, values_max=1_000_000)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 8 * MIB,
        b"[" * 4 * MIB + b"]" * 4 * MIB,
        b"[]" * 4 * MIB,
        b'{"a":' * 2 * MIB,
        b'"' + b'\\"' * 4 * MIB,
        b'"' * 8 * MIB,
        b'"",' * 3 * MIB,
        b"," * 8 * MIB,
    ],
)
def test_eight_mebibytes_made_to_hurt_are_refused_in_linear_time(data: bytes) -> None:
    started = time.monotonic()

    with pytest.raises((BankFormatChanged, AnswerTooLarge)):
        read(data)

    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("depth", "taken"), [(1, True), (31, True), (32, True), (33, False), (1000, False), (100_000, False)]
)
def test_depth_is_counted_exactly(depth: int, taken: bool) -> None:
    mixed = b"".join(b'{"a":' if level % 2 else b"[" for level in range(depth))
    closing = b"".join(b"}" if level % 2 else b"]" for level in reversed(range(depth)))
    data = mixed + b"1" + closing

    if taken:
        read(data)
    else:
        with pytest.raises(BankFormatChanged):
            read(data)


def test_strings_are_told_from_what_stands_outside_however_many_there_are() -> None:
    many = b"[" + b",".join([b'"[{,\\"]"', b'{"k[":"\\\\"}'] * 10_000) + b"]"

    assert read(many) == json.loads(many)
    with pytest.raises(BankFormatChanged):
        read(many[:-1] + b',"[')
    with pytest.raises(AnswerTooLarge):
        parse(many, depth_max=32, values_max=29_999)  # 19999 commas, 10000 objects, one array
    assert parse(many, depth_max=32, values_max=30_000)


@pytest.mark.parametrize("data", [b'["[[[", "]]", "{", "\\"[", "\\\\"]', b'{"[{": "}]"}', b'"' + b"[" * 1000 + b'"'])
def test_brackets_inside_strings_do_not_count(data: bytes) -> None:
    assert read(data) == json.loads(data)


@pytest.mark.parametrize("data", [b"[}", b"{]", b"[)", b"(]", b"][", b"[[]", b'{"a":1]'])
def test_brackets_close_their_own_kind(data: bytes) -> None:
    with pytest.raises(BankFormatChanged):
        read(data)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=5)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=0x2FF, min_codepoint=1), max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_bytes_are_read_back_as_the_same_value(value: JsonValue) -> None:
    data = canonical(value)

    assert read(data) == value
    assert canonical(read(data)) == data


def test_canonical_bytes_do_not_depend_on_the_order_of_members() -> None:
    one, other = {"b": Decimal("1.10"), "a": [1, None, True, "ü"]}, {"a": [1, None, True, "ü"], "b": Decimal("1.10")}

    assert canonical(one) == canonical(other) == '{"a":[1,null,true,"ü"],"b":1.10}'.encode()


def test_whole_decimals_stay_numbers() -> None:
    assert canonical([Decimal("5"), Decimal("1E+3"), Decimal("0.00")]) == b"[5,1E+3,0.00]"
