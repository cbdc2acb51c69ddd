"""Refused calls, counted for the banks whose accounts they were about: a stop must be seen to work while it works."""

from consents import traffic
from consents.models import ConsentAccount
from consents.states import ConsentAccountStatus
from gateway.api.caller import Caller


def count(caller: Caller, code: str) -> None:
    """One call that opened nothing, of a caller whose token is known. `code` is the problem's."""
    held = ConsentAccount.objects.filter(consent_id=caller.consent.id).exclude(status=ConsentAccountStatus.REVOKED)
    traffic.count_refused(
        institution_ids=set(held.values_list("institution_id", flat=True)),
        platform_id=caller.platform.id,
        code=code,
        now=caller.now,
    )
