"""The end of an account here, by its holder or by the operator: in one transaction nothing is shared any more."""

from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from consents import audit, lifecycle
from consents.audit import Actor
from gateway.identity import sessions
from gateway.identity.models import SecurityRecord, User


def close_profile(*, user: User, actor: Actor, now: datetime) -> list[UUID]:
    """The holder's own end: everything shared is revoked, what is stored goes at once; the consents that ended.

    When this returns, tokens are dead, every session is over and nobody can sign in. It waits for nothing remote: links
    to banks are ended, and rows purged, by the sweeps that look for what no consent needs (banks.endings, banks.purge).
    Factors, history and the e-mail address are deleted here. The name stays, so that no stranger can take it, and so
    does the pseudonym, by which the purge still to come is recorded.
    """
    with transaction.atomic():
        ended = _end(user, "profile_closed", actor, now, deletes_at_once=True)
        Authenticator.objects.filter(user=user).delete()
        SecurityRecord.objects.filter(user=user).delete()
        User.objects.filter(id=user.id).update(email="", first_name="", last_name="")
    return ended


def deactivate(*, user_id: UUID, reason: str, actor: Actor, now: datetime) -> list[UUID]:
    """The operator's hand: the same at once, but what is stored keeps its 24 hours; the consents that ended.

    Making the user active again brings no consent back. Raises User.DoesNotExist.
    """
    with transaction.atomic():
        return _end(User.objects.get(id=user_id), reason, actor, now, deletes_at_once=False)


def _end(user: User, reason: str, actor: Actor, now: datetime, *, deletes_at_once: bool) -> list[UUID]:
    # Consents first: theirs are the first locks everywhere. Should one be granted at this moment, it serves nothing all
    # the same: a token of somebody who is not active is refused.
    ended = lifecycle.revoke_all(user_id=user.id, reason=reason, actor=actor, now=now, deletes_at_once=deletes_at_once)
    User.objects.filter(id=user.id).update(is_active=False)
    sessions.end_all(user.id, now=now)
    audit.record("user.deactivated", actor=actor, now=now, user_pseudonym=user.pseudonym, reason_code=reason)
    return ended
