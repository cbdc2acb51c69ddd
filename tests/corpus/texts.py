"""Answers that are no JSON, or JSON that two parsers could read differently, and HTTP that is not sound."""

import gzip
import json

from tests.corpus.answers import FORMAT, GOOD
from tests.corpus.case import Answered, Case, Verdict, Where, page

GOOD_TEXT = json.dumps(GOOD).encode()
MALFORMED, NOT_UTF8 = f"{FORMAT} json_malformed", f"{FORMAT} json_not_utf8"
BAD_CHARACTER, SHAPE = f"{FORMAT} json_bad_character", f"{FORMAT} json_too_deep_or_unbalanced"

#: Beside a good list of transactions stands one member more, and this is its value.
MEMBERS: tuple[tuple[str, str, bytes], ...] = (
    ("NaN", MALFORMED, b"NaN"),
    ("Infinity", MALFORMED, b"Infinity"),
    ("minus Infinity", MALFORMED, b"-Infinity"),
    ("1e400", MALFORMED, b"1e400"),
    ("1e-400", MALFORMED, b"1e-400"),
    ("exponent of many digits", MALFORMED, b"1e99999999999999999999"),
    ("65 digits", MALFORMED, b"9" * 65),
    ("5000 digits", MALFORMED, b"9" * 5000),
    ("5000 decimals", MALFORMED, b"0." + b"3" * 5000),
    ("leading zero", MALFORMED, b"007"),
    ("plus sign", MALFORMED, b"+1"),
    ("no digit before the point", MALFORMED, b".5"),
    ("no digit after the point", MALFORMED, b"5."),
    ("hexadecimal", MALFORMED, b"0x10"),
    ("decimal comma", MALFORMED, b"10,50"),
    ("Python word", MALFORMED, b"None"),
    ("JavaScript word", MALFORMED, b"undefined"),
    ("single quotes", MALFORMED, b"'x'"),
    ("no quotes", MALFORMED, b"{x: 1}"),
    ("trailing comma", MALFORMED, b"[1,]"),
    ("missing comma", MALFORMED, b"[1 2]"),
    ("comment", MALFORMED, b"/* x */ 1"),
    ("line comment", MALFORMED, b"1 // x\n"),
    ("unknown escape", MALFORMED, b'"\\x41"'),
    ("escape cut short", MALFORMED, b'"\\u12"'),
    ("raw control", MALFORMED, b'"\x01"'),
    ("raw NUL", MALFORMED, b'"\x00"'),
    ("raw tab", MALFORMED, b'"\t"'),
    ("duplicate keys", MALFORMED, b'{"Amount": 1, "Amount": 2}'),
    ("duplicate keys by an escape", MALFORMED, b'{"Amount": 1, "\\u0041mount": 2}'),
    ("closing of the other kind", MALFORMED, b"[1}"),
    ("lone high surrogate", BAD_CHARACTER, b'"\\ud800"'),
    ("lone low surrogate", BAD_CHARACTER, b'"\\udfff"'),
    ("surrogates the wrong way round", BAD_CHARACTER, b'"\\ude00\\ud83d"'),
    ("surrogate in a key", BAD_CHARACTER, b'{"\\udabc": 1}'),
    ("NUL by an escape", BAD_CHARACTER, b'"\\u0000"'),
    ("NUL in a key", BAD_CHARACTER, b'{"a\\u0000b": 1}'),
    ("deep in an array", BAD_CHARACTER, b'[[{"a": ["\\u0000"]}]]'),
    ("33 arrays deep", SHAPE, b"[" * 33 + b"]" * 33),
    ("40 objects deep", SHAPE, b'{"a":' * 40 + b"1" + b"}" * 40),
    ("40000 arrays deep", SHAPE, b"[" * 40_000),
    ("never closed", SHAPE, b"[1"),
    ("closed twice", SHAPE, b"1]"),
    ("string never closed", SHAPE, b'"x'),
    ("many values", "answer_too_large json_values", b"[" + b"0," * 60_000 + b"0]"),
    ("a latin-1 byte", NOT_UTF8, b'"caf\xe9"'),
    ("overlong UTF-8", NOT_UTF8, b'"\xc0\xaf"'),
    ("surrogate in UTF-8", NOT_UTF8, b'"\xed\xa0\x80"'),
    ("beyond Unicode", NOT_UTF8, b'"\xf5\x80\x80\x80"'),
)

HTML = b"<!doctype html><title>Maintenance</title>"
ANSWERS: tuple[tuple[str, str, Answered], ...] = (
    ("empty", MALFORMED, Answered(b"")),
    ("blank", MALFORMED, Answered(b" \r\n")),
    ("HTML", MALFORMED, Answered(HTML)),
    ("byte order mark", MALFORMED, Answered(b"\xef\xbb\xbf" + GOOD_TEXT)),
    ("two documents", MALFORMED, Answered(GOOD_TEXT + GOOD_TEXT)),
    ("trailing text", MALFORMED, Answered(GOOD_TEXT + b"ok")),
    ("JSONP", MALFORMED, Answered(b"callback(" + GOOD_TEXT + b")")),
    ("guard against inclusion", SHAPE, Answered(b")]}',\n" + GOOD_TEXT)),
    ("UTF-16 without a mark", MALFORMED, Answered(GOOD_TEXT.decode().encode("utf-16-le"))),
    ("UTF-16", NOT_UTF8, Answered(GOOD_TEXT.decode().encode("utf-16"))),
    ("latin-1", NOT_UTF8, Answered(json.dumps(page("caf\u00e9"), ensure_ascii=False).encode("latin-1"))),
    ("cut off", SHAPE, Answered(GOOD_TEXT[:-20])),
    ("cut off in a string", SHAPE, Answered(GOOD_TEXT[: GOOD_TEXT.index(b"GREENWAY") + 3])),
    ("HTML by type", f"{FORMAT} content_type", Answered(HTML, content_type="text/html")),
    ("no type", f"{FORMAT} content_type", Answered(GOOD_TEXT, content_type=None)),
    ("encrypted", f"{FORMAT} content_type", Answered(GOOD_TEXT, content_type="application/jose+jwe")),
    ("text", f"{FORMAT} content_type", Answered(GOOD_TEXT, content_type="text/plain")),
    ("type in a parameter", f"{FORMAT} content_type", Answered(GOOD_TEXT, content_type="text/html; application/json")),
    ("latin-1 by type", f"{FORMAT} charset", Answered(GOOD_TEXT, content_type="application/json; charset=latin1")),
    ("UTF-16 by type", f"{FORMAT} charset", Answered(GOOD_TEXT, content_type='application/json; charset="utf-16"')),
    ("brotli", f"{FORMAT} content_encoding", Answered(GOOD_TEXT, headers=(("Content-Encoding", "br"),))),
    (
        "gzip in gzip",
        f"{FORMAT} content_encoding",
        Answered(gzip.compress(gzip.compress(GOOD_TEXT)), headers=(("Content-Encoding", "gzip, gzip"),)),
    ),
    ("not gzip", f"{FORMAT} gzip", Answered(GOOD_TEXT, headers=(("Content-Encoding", "gzip"),))),
    (
        "gzip with a wrong sum",
        f"{FORMAT} gzip",
        Answered(gzip.compress(GOOD_TEXT)[:-8] + b"\0" * 8, headers=(("Content-Encoding", "gzip"),)),
    ),
    ("gzip cut off", SHAPE, Answered(gzip.compress(GOOD_TEXT)[:200], headers=(("Content-Encoding", "gzip"),))),
    ("oversize", "answer_too_large decoded_bytes", Answered(b" " * 1_600_000 + GOOD_TEXT)),
    (
        "1000:1",
        "answer_too_large decoded_bytes",
        Answered(gzip.compress(b" " * 3_000_000 + GOOD_TEXT), headers=(("Content-Encoding", "gzip"),)),
    ),
    ("another protocol", f"{FORMAT} status", Answered(b"", status=101)),
    ("no content", f"{FORMAT} status", Answered(b"", status=204)),
    ("part of the content", f"{FORMAT} status", Answered(GOOD_TEXT, status=206)),
    ("redirect", f"{FORMAT} redirect", Answered(b"", status=302, headers=(("Location", "/aisp/p2"),))),
    ("redirect without a place", f"{FORMAT} redirect", Answered(GOOD_TEXT, status=300)),
    ("shorter than it says", f"{FORMAT} truncated", Answered(GOOD_TEXT, headers=(("Content-Length", "100000"),))),
)


def _cases() -> list[Case]:
    found = [
        _refused(kind, check, Answered(GOOD_TEXT[:-1] + b', "More": ' + value + b"}")) for kind, check, value in MEMBERS
    ]
    return found + [_refused(kind, check, answer) for kind, check, answer in ANSWERS]


def _refused(kind: str, check: str, answer: Answered) -> Case:
    return Case(kind=kind, where=Where.PAGE, verdict=Verdict.REFUSED, check=check, value=answer)


CASES = _cases()
