"""Refused calls, counted for the banks they concern: what a bank's console shows while it has stopped somebody."""

import logging
from datetime import datetime

from django.db import DatabaseError, transaction

from banks.authority import refusals
from consents import traffic
from consents.denials import Denial
from consents.models import Consent
from consents.scopes import Presence, Purpose

log = logging.getLogger(__name__)


def count(consent: Consent, denial: Denial, *, purpose: Purpose | None, presence: Presence, now: datetime) -> None:
    """One call to each bank under the consent, with its own reason. A count that fails is lost; the refusal stands."""
    try:
        with transaction.atomic():
            for institution_id, code in refusals(consent, denial, purpose=purpose, presence=presence, now=now).items():
                traffic.count_refused(
                    institution_ids=[institution_id], platform_id=consent.platform_id, code=code, now=now
                )
    except DatabaseError:
        log.warning("a refused call was not counted", extra={"code": denial.code})
