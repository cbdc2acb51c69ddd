"""JSON that two parsers cannot read differently (RFC 8259, I-JSON RFC 7493), bounded in depth, values and digits. Pure.

Numbers with a fraction or an exponent become Decimal, whole ones int; floats do not occur.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import NoReturn

from banks.errors import AnswerTooLarge, BankFormatChanged

JsonValue = None | bool | int | Decimal | str | list["JsonValue"] | dict[str, "JsonValue"]

_NUMBER_CHARACTERS_MAX = 64
# Beyond IEEE 754 double nobody interoperates (RFC 8259 section 6), and int(Decimal("1e999999999")) eats the machine.
_EXPONENT_MAX = 308
# An unterminated string runs to the end in one match: otherwise each quote in it would start a new scan to the end.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
# As many whole strings, and what stands before each, as are worth one round.
_BLOCK = re.compile(rb'(?:[^"]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"){1,4096}+', re.DOTALL)
# One pair of brackets stands for both kinds here: whether each closes its own kind is the parser's to find.
_ONE_KIND = bytes.maketrans(b"[]{}", b"()()")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def parse(data: bytes | bytearray, *, depth_max: int, values_max: int) -> JsonValue:
    """One JSON text in UTF-8.

    Raises BankFormatChanged for anything else: NaN and Infinity, duplicate keys, lone surrogates, NUL, a byte order
    mark, numbers of more than 64 characters or beyond the range of a double, nesting deeper than `depth_max`.
    Raises AnswerTooLarge for more than `values_max` values, which would cost far more memory than their text.
    """
    _check_shape(data, depth_max, values_max)
    reason = ""
    value: JsonValue = None
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_decimal,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        reason = "json_not_utf8"
    except (ValueError, RecursionError):
        reason = "json_malformed"
    if reason:
        # Raised out here: json's own exceptions carry the whole document.
        raise BankFormatChanged(reason)
    if b"\\u" in data:  # only an escape can bring in what UTF-8 and the grammar keep out
        _check_strings(value)
    return value


def _check_shape(data: bytes | bytearray, depth_max: int, values_max: int) -> None:
    brackets = bytearray()
    values = 0
    for bare in _outside_strings(data):
        values += bare.count(b",") + bare.count(b"[") + bare.count(b"{")
        if values > values_max:
            raise AnswerTooLarge("json_values")
        brackets += bare.translate(_ONE_KIND, _NOT_BRACKETS)
    for _level in range(depth_max):
        if not brackets:
            return
        # Takes away the innermost pairs: what is left after n rounds was nested deeper than n.
        brackets = brackets.replace(b"()", b"")
    if brackets:
        raise BankFormatChanged("json_too_deep_or_unbalanced")


def _outside_strings(data: bytes | bytearray) -> Iterator[bytes]:
    """What stands outside of strings, piece by piece: all at once, each string would cost many times its length."""
    start = 0
    while block := _BLOCK.match(data, start):
        yield _STRING.sub(b"", block[0])
        start = block.end()
    yield _STRING.sub(b"", data[start:])


def _refuse_constant(_text: str) -> NoReturn:
    raise ValueError("constant")


def _integer(text: str) -> int:
    if len(text) > _NUMBER_CHARACTERS_MAX:
        raise ValueError("digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > _NUMBER_CHARACTERS_MAX:
        raise ValueError("digits")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("exponent") from None
    if abs(number.adjusted()) > _EXPONENT_MAX:
        raise ValueError("exponent")
    return number


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate")
    return members


def _check_strings(value: JsonValue) -> None:
    for text in _strings(value):
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise BankFormatChanged("json_bad_character")


def _strings(root: JsonValue) -> Iterator[str]:
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            yield from value
            waiting.extend(value.values())


def canonical(value: JsonValue) -> bytes:
    """The same bytes for the same value: keys sorted, no spaces, UTF-8, numbers with the digits they came with.

    Not RFC 8785: that writes numbers as doubles, and 0.10 would come back as 0.1.
    """
    try:
        return _encoded(value).encode("utf-8")
    except _IsDecimal:
        return "".join(_written(value)).encode("utf-8")


class _IsDecimal(Exception):
    """Only what is written by hand keeps its digits."""


def _refuse_decimal(_value: object) -> NoReturn:
    raise _IsDecimal


_encoded = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False, default=_refuse_decimal
).encode


def _written(value: JsonValue) -> Iterator[str]:
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | Decimal):
        yield str(value)
    elif isinstance(value, str):
        yield encode_basestring(value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield "," if index else "["
            yield from _written(item)
        yield "]" if value else "[]"
    else:
        for index, key in enumerate(sorted(value)):
            yield f"{',' if index else '{'}{encode_basestring(key)}:"
            yield from _written(value[key])
        yield "}" if value else "{}"
