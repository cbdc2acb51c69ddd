"""Refused calls, counted for the banks they concern: what a bank's console shows while it has stopped somebody."""

import logging
from datetime import datetime

from django.db import DatabaseError, transaction

from banks.authority import refusals
from consents import traffic
from consents.denials import Denial
from consents.models import Consent, ConsentAccount
from consents.scopes import Presence, Purpose
from consents.states import ConsentAccountStatus

log = logging.getLogger(__name__)


def count(consent: Consent, denial: Denial, *, purpose: Purpose | None, presence: Presence, now: datetime) -> None:
    """One call to each bank under the consent, with its own reason. A count that fails is lost; the refusal stands."""
    try:
        with transaction.atomic():
            found = refusals(consent, denial, purpose=purpose, presence=presence, now=now)
            # Rows of two banks in one order, whoever counts: or two calls would wait for each other, and both be lost.
            for institution_id, code in sorted(found.items()):
                traffic.count_refused(
                    institution_ids=[institution_id], platform_id=consent.platform_id, code=code, now=now
                )
    except DatabaseError:
        log.warning("a refused call was not counted", extra={"code": denial.code})


def count_closed(consent: Consent, code: str, *, now: datetime) -> None:
    """One call for what no scope opens, at every bank under the consent. `code` is the problem's."""
    held = ConsentAccount.objects.filter(consent_id=consent.id).exclude(status=ConsentAccountStatus.REVOKED)
    try:
        with transaction.atomic():
            traffic.count_refused(
                institution_ids=set(held.values_list("institution_id", flat=True)),
                platform_id=consent.platform_id,
                code=code,
                now=now,
            )
    except DatabaseError:
        log.warning("a refused call was not counted", extra={"code": code})
