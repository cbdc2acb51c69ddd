"""What an answer depends on, as one number: while it stays the same, so does the answer. Pure.

It is for comparing, and tells nothing by itself; whoever shows it to somebody keys it first.
"""

import hashlib
from collections.abc import Sequence

from banks.records import Fingerprint
from consents.policy import Permit, PermitSlice
from consents.scopes import Record


def of(permit: Permit, parts: Sequence[PermitSlice], record: Record, told: Sequence[object]) -> Fingerprint | None:
    """16 bytes; None for transactions under "on-platform only", where a bank's or the platform's own entry changes what
    is let out without changing any account.

    `told`: everything else that the answer is made of or follows from, in values whose text tells them apart.
    """
    if record == Record.TRANSACTION and any(part.on_platform_only for part in parts):
        return None
    reach = [str(permit.consent_id), str(permit.platform_id), str(permit.user_id), permit.purpose, record.value]
    slices = [
        (
            str(part.institution_id),
            part.fields(record),
            sorted(part.released | part.derivable),
            str(part.history_from),
            part.history_days_max,
            part.location_precision,
            sorted(part.hidden_groups),
        )
        for part in parts
    ]
    text = "\n".join(map(str, [*reach, slices, *told]))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
