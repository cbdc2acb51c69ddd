"""Is the person who now answers behind a login the one it was linked for? Pure: digests in, a verdict out.

The names themselves are neither kept nor compared: each becomes a keyed digest, and up to four of them stand in one
column, so that an account of two people stays theirs when one of them leaves it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: 64 bits of each name's keyed digest; four of them fill Account.holder_digest.
_DIGEST_LENGTH = 16
_NAMES_MAX = 4
_NOT_LETTER = re.compile(r"[\W\d_]+")
#: How a bank addresses somebody is no part of the name.
_TITLES = frozenset(("dr", "miss", "mr", "mrs", "ms", "mx", "prof", "sir"))


def holder_digest(names: Iterable[str], keyed: Callable[[str], str]) -> str:
    """What Account.holder_digest keeps of the owners' names: at most 64 hexadecimal digits, "" without a name.

    `keyed` makes a keyed hexadecimal digest of a text. The smallest digests stand for all where there are more than
    four names, so that two lists of mostly the same people still have some in common.
    """
    spelled = {_spelled(name) for name in names} - {""}
    return "".join(sorted(keyed(name)[:_DIGEST_LENGTH] for name in spelled)[:_NAMES_MAX])


def _spelled(name: str) -> str:
    """Case, accents' encoding, punctuation, titles and the order of the words do not count."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(sorted(set(_NOT_LETTER.sub(" ", folded).split()) - _TITLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An account as it is kept, or as the bank tells it now. "" where something was not told."""

    bank_account_id: str
    identification_digest: str
    holder_digest: str


def is_someone_else(before: Known, now: Known) -> bool:
    """`now`: what the bank tells under the id, or under the numbers, of `before`.

    Other numbers under the same id, or owners of whom none was an owner before. What was not told proves nothing.
    """
    other_numbers = bool(
        before.identification_digest
        and now.identification_digest
        and before.identification_digest != now.identification_digest
    )
    return other_numbers or _nobody_stayed(before.holder_digest, now.holder_digest)


def is_another_person(gone: Sequence[Known], strange: Sequence[Known]) -> bool:
    """`gone`: every account that was known, none of which is listed any more; `strange`: the accounts listed instead.

    Owners of whom none was an owner before. Where one side names none, numbers of which none was known: two accounts
    of the same numbers would have been recognised. What was not told proves nothing, nor does an empty list.
    """
    before, now = _owners(gone), _owners(strange)
    if before and now:
        return not before & now
    return _tell_numbers(gone) and _tell_numbers(strange)


def _owners(accounts: Iterable[Known]) -> frozenset[str]:
    return frozenset(part for one in accounts for part in _parts(one.holder_digest))


def _tell_numbers(accounts: Iterable[Known]) -> bool:
    return any(one.identification_digest for one in accounts)


def _nobody_stayed(before: str, now: str) -> bool:
    return bool(before and now) and not (_parts(before) & _parts(now))


def _parts(digest: str) -> frozenset[str]:
    return frozenset(digest[start : start + _DIGEST_LENGTH] for start in range(0, len(digest), _DIGEST_LENGTH))
