"""A person says that something looks wrong: what they share stops in the transaction that keeps their report.

Only codes are kept. They may take it back; the operator closes what is left.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from consents import audit, lifecycle
from consents.audit import Actor
from consents.errors import ReportNotFound, TransitionRefused
from consents.lifecycle import changing
from consents.models import Consent, Report
from consents.states import LIVE_CONSENTS, ConsentStatus, Initiator, ReportCode, ReportOutcome

#: Reason code of the suspension that a report brings.
REPORTED = "user_report"


def report(
    *, consent_id: UUID, user_id: UUID, code: ReportCode, actor: Actor, now: datetime, request_id: str = ""
) -> Report:
    """Keep the report and, where the consent still serves, suspend it. The same report twice is one.

    `request_id`: of the read meant; "": the consent as a whole. Of what has ended, or is on hold already, the report is
    kept alone. Raises ConsentNotFound, TransitionRefused (it was never granted).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        if consent.authorised_at is None:
            raise TransitionRefused(consent.status)
        if same := _open(consent_id).filter(code=code, request_id=request_id).first():
            return same
        if consent.status in (ConsentStatus.AUTHORISED, ConsentStatus.PAUSED) and not consent.is_expired(now):
            lifecycle.suspend(consent_id=consent_id, user_id=user_id, reason=REPORTED, actor=actor, now=now)
        kept = Report.objects.create(
            consent=consent, user_id=user_id, request_id=request_id, code=code, reported_at=now
        )
        _record("report.opened", kept, consent, code, actor, now)
        return kept


def withdraw(*, consent_id: UUID, user_id: UUID, actor: Actor, now: datetime) -> Consent:
    """The person takes back all they reported of this consent; what they put on hold thereby goes on as before.

    What the operator put on hold stays so. Raises ConsentNotFound, ReportNotFound (nothing is open).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        taken_back = list(_open(consent_id).order_by("reported_at", "id"))
        if not taken_back:
            raise ReportNotFound(consent_id)
        for one in taken_back:
            _close(one, consent, ReportOutcome.WITHDRAWN, actor, now)
        _lift(consent, "report_withdrawn", actor, now)
        consent.refresh_from_db()
        return consent


def close(*, report_id: UUID, outcome: ReportOutcome, actor: Actor, now: datetime) -> Report:
    """The operator looked. UNFOUNDED: it goes on, with the last open report; UPHELD: the consent ends, if it has not.

    Raises ReportNotFound (not there, or closed), ValueError (WITHDRAWN is the person's own word).
    """
    if outcome == ReportOutcome.WITHDRAWN:
        raise ValueError("only the person who reported takes it back")
    with transaction.atomic():
        # The consent's lock comes first, whoever closes or takes back.
        consent_id = Report.objects.filter(id=report_id).values_list("consent_id", flat=True).first()
        if consent_id is None:
            raise ReportNotFound(report_id)
        consent = changing.locked(consent_id)
        kept = _open(consent_id).filter(id=report_id).first()
        if kept is None:
            raise ReportNotFound(report_id)
        _close(kept, consent, outcome, actor, now)
        if outcome == ReportOutcome.UPHELD:
            _end(consent, actor, now)
        elif not _open(consent_id).exists():
            _lift(consent, "report_closed", actor, now)
        return kept


def open_reports(consent_id: UUID) -> QuerySet[Report]:
    """Oldest first."""
    return _open(consent_id).order_by("reported_at", "id")


def _open(consent_id: UUID) -> QuerySet[Report]:
    return Report.objects.filter(consent_id=consent_id, closed_at=None)


def _close(kept: Report, consent: Consent, outcome: ReportOutcome, actor: Actor, now: datetime) -> None:
    kept.closed_at, kept.outcome = now, outcome
    kept.save(update_fields=["closed_at", "outcome"])
    _record("report.closed", kept, consent, outcome, actor, now)


def _lift(consent: Consent, reason: str, actor: Actor, now: datetime) -> None:
    """Only what a report suspended: what another hand put on hold is not the person's to lift."""
    by_report = consent.status_reason == REPORTED and consent.status_initiator == Initiator.USER
    if consent.status == ConsentStatus.SUSPENDED and by_report and not consent.is_expired(now):
        lifecycle.lift(consent_id=consent.id, reason=reason, actor=actor, now=now)


def _end(consent: Consent, actor: Actor, now: datetime) -> None:
    if consent.status in LIVE_CONSENTS and not consent.is_expired(now):
        lifecycle.revoke(consent_id=consent.id, reason="report_upheld", actor=actor, now=now)


def _record(action: str, kept: Report, consent: Consent, reason: str, actor: Actor, now: datetime) -> None:
    audit.record(
        action,
        actor=actor,
        now=now,
        user_pseudonym=consent.user.pseudonym,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        reason_code=reason,
        details={"report_id": str(kept.id)},
    )
