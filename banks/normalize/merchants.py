"""Who a merchant is, for the bank's list of merchants approved as a platform's own. Pure.

Exact on purpose: two spellings that differ stay two merchants. A row that matches nothing is withheld, so a miss hides
a row, while a guess would release one.
"""

import hashlib
import re
import unicodedata

from banks.normalize.text import clean

KEY_LENGTH_MAX = 140

_MCC = re.compile(r"[0-9]{3,4}")
_NOT_WORD = re.compile(r"[\W_]+")


def merchant_category_code(text: str | None) -> str | None:
    """ISO 18245 as four digits; "763" is 0763 (UK MerchantCategoryCode has 3 or 4). Anything else is None."""
    if text is None or not _MCC.fullmatch(text):
        return None
    return text.zfill(4)


def merchant_key(name: str | None, mcc: str | None) -> str | None:
    """One string per merchant, at most 140 characters: `5411:greenway market`, or `-:...` without a category code.

    Case, width (NFKC), punctuation and spaces do not count; words, digits and accents do. None without a name.
    """
    cleaned = clean(name, length_max=1_000)
    if cleaned is None:
        return None
    folded = unicodedata.normalize("NFKC", cleaned).casefold()
    words = " ".join(_NOT_WORD.sub(" ", unicodedata.normalize("NFKC", folded)).split())
    if not words:
        return None
    key = f"{merchant_category_code(mcc) or '-'}:{words}"
    if len(key) <= KEY_LENGTH_MAX:
        return key
    # Cut off, two long names could become one.
    return f"{key[:75]}~{hashlib.sha256(key.encode()).hexdigest()}"
