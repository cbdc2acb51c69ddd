"""The account holder's own door: everything of theirs, no consent needed.

Apart from policy so that an import contract keeps it away from the platform API: one call from there would undo
everything else. Pure.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from consents.denials import Denial
from consents.policy import _MINT, Permit, PermitSlice, decide
from consents.policy_facts import ConsentFacts, Slice
from consents.scopes import DERIVED_SCOPES, LocationPrecision, Presence, Purpose, Scope
from consents.states import PlatformStatus


def owner_permit(user_id: UUID, accounts: Collection[tuple[UUID, UUID]], *, expires_at: datetime) -> Permit:
    """A permit over (institution_id, account_id) pairs; read.py still filters every row by `user_id`."""
    institutions = {institution_id for institution_id, _ in accounts}
    return Permit(
        user_id=user_id,
        consent_id=None,
        platform_id=None,
        purpose=None,
        presence=Presence.PRESENT,
        slices=tuple(
            PermitSlice(
                institution_id=institution_id,
                account_ids=frozenset(account for owner, account in accounts if owner == institution_id),
                released=frozenset(Scope) - DERIVED_SCOPES,
                derivable=frozenset(),
                history_from=None,
                location_precision=LocationPrecision.STORE,
                on_platform_only=False,
                hidden_groups=frozenset(),
                history_days_max=None,
                presence=Presence.PRESENT,
            )
            for institution_id in sorted(institutions)
        ),
        expires_at=expires_at,
        mint=_MINT,
    )


def preview_permit(
    consent: ConsentFacts,
    slices: Sequence[Slice],
    platform: PlatformStatus,
    purpose: Purpose,
    *,
    now: datetime,
    expires_at: datetime,
) -> Permit | Denial:
    """What the platform would get under `consent`, for the holder to look at before the answer.

    `decide` makes it, so there is no second rule: the same fields, rows and accounts. It stands for no consent, so a
    read with it is the holder's own and is none of the platform's.
    """
    answer = decide(consent, slices, platform, purpose, Presence.PRESENT, now)
    if isinstance(answer, Denial):
        return answer
    return Permit(
        user_id=answer.user_id,
        consent_id=None,
        platform_id=answer.platform_id,  # whose merchants and references count as on-platform
        purpose=answer.purpose,
        presence=answer.presence,
        slices=answer.slices,
        expires_at=min(answer.expires_at, expires_at),
        mint=_MINT,
    )
