"""What became of one consent: its audit entries in words, and how its end went on, step by step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from banks.needs import RETENTION
from consents.models import AuditEntry, Consent, Revocation
from consents.states import UpstreamStage
from gateway.portal import sharing_words
from gateway.portal.summaries import bank_name_of

#: A platform that was told has this long to confirm; after that it is said to be late.
ACKNOWLEDGED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the timeline. `who`: whose act it was; `details`: what it took away."""

    at: datetime
    what: str
    who: str
    details: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an end. `at` None: not yet, and `note` says what is to come."""

    what: str
    at: datetime | None
    note: str = ""


def timeline(consent: Consent) -> list[Happening]:
    """Oldest first; everything that was recorded of it."""
    entries = list(AuditEntry.objects.filter(consent_id=consent.id).order_by("occurred_at", "sequence", "id"))
    banks = bank_name_of({entry.institution_id for entry in entries if entry.institution_id is not None})
    return [_happening(entry, consent.platform.name, banks) for entry in entries]


def _happening(entry: AuditEntry, platform: str, banks: dict[UUID, str]) -> Happening:
    bank = banks.get(entry.institution_id, "") if entry.institution_id is not None else ""
    return Happening(
        at=entry.occurred_at,
        what=sharing_words.event(entry.action, entry.from_status, entry.reason_code, platform=platform, bank=bank),
        who=sharing_words.hand(entry.initiator, platform=platform, bank=bank),
        details=sharing_words.taken_away(entry.details, platform) if entry.action == "consent.narrowed" else [],
    )


def steps(consent: Consent, *, now: datetime) -> list[Step]:
    """Of a consent that somebody stopped (data model 5.5); empty for one that ran out."""
    end = Revocation.objects.filter(consent_id=consent.id).first()
    return [] if end is None else _steps(end, consent.platform.name, now)


def _steps(end: Revocation, platform: str, now: datetime) -> list[Step]:
    return [
        Step(what="Asked for", at=end.requested_at),
        Step(what=f"The keys of {platform} stopped working", at=end.tokens_dead_at),
        Step(what="We stopped answering", at=end.serving_stopped_at),
        Step(what="Our copy was deleted", at=end.purged_at, note=_purge_note(end)),
        _at_the_bank(end),
        Step(what=f"{platform} was told", at=end.notified_at, note="It will be told when it next asks us."),
        Step(
            what=f"{platform} confirmed",
            at=end.acknowledged_at,
            note=_acknowledgement_note(end, platform, now),
        ),
    ]


def _purge_note(end: Revocation) -> str:
    if end.deletes_at_once:
        return "In a few minutes, but for what something else you share still needs."
    due = end.requested_at + RETENTION
    return f"After {due.day} {due:%B %Y, %H:%M} UTC, but for what something else you share still needs."


def _at_the_bank(end: Revocation) -> Step:
    if not end.upstream_stage:
        return Step(what="Told to your bank", at=None, note="Within a few minutes.")
    stage = UpstreamStage(end.upstream_stage)
    done = None if stage == UpstreamStage.UPSTREAM_RETRYING else end.upstream_at
    return Step(what="Told to your bank", at=done, note=sharing_words.UPSTREAM_WORDS[stage])


def _acknowledgement_note(end: Revocation, platform: str, now: datetime) -> str:
    if end.notified_at is None:
        return ""
    if end.notified_at + ACKNOWLEDGED_WITHIN < now:
        return f"{platform} is late. Ask {platform} to delete what it holds."
    return f"{platform} has not answered yet."
