"""A consent in words: what the list, the detail page and the steps of the flow show of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from banks import directory
from banks.directory import InstitutionCard
from consents.models import Consent, ConsentAccount
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus, Initiator
from gateway import words
from gateway.portal import usage
from gateway.portal.usage import Usage
from gateway.words import ScopeWords, StatusWords


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a consent asks or grants, in words."""

    scopes: list[ScopeWords]
    not_shared: list[str]
    purposes: list[str]
    reasons: list[str]
    limits: list[str]
    history_days: int | None  #: None: nothing in it looks back
    history_from: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One consent on the list, and the head of its own page."""

    id: UUID
    platform: str
    legal_name: str
    status: ConsentStatus
    words: StatusWords
    cause: str
    terms: Terms
    banks: list[str]
    banks_on_hold: list[str]
    accounts: int
    granted_at: datetime | None
    expires_at: datetime
    days_left: int
    ended_at: datetime | None
    usage: Usage

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_CONSENTS

    @property
    def is_waiting(self) -> bool:
        return self.status == ConsentStatus.AWAITING_AUTHORISATION


def status_at(consent: Consent, now: datetime) -> ConsentStatus:
    """By the clock: a row that nobody has swept yet is over all the same."""
    status = ConsentStatus(consent.status)
    unfinished = status in LIVE_CONSENTS or status == ConsentStatus.AWAITING_AUTHORISATION
    return ConsentStatus.EXPIRED if unfinished and consent.is_expired(now) else status


def terms_of(consent: Consent) -> Terms:
    scopes = frozenset(Scope(scope) for scope in consent.scopes)
    purposes = [purpose for purpose in Purpose if purpose in consent.purposes]
    precision = LocationPrecision(consent.location_precision) if consent.location_precision else None
    name = consent.platform.name
    return Terms(
        scopes=words.describe(scopes, precision),
        not_shared=words.not_shared(scopes),
        purposes=[words.PURPOSE_WORDS[purpose][0] for purpose in purposes],
        reasons=[words.reason(name, purpose) for purpose in purposes],
        limits=words.limits(consent.on_platform_only, [SensitiveGroup(group) for group in consent.hidden_groups], name),
        history_days=_history_days(consent) if scopes & words.LOOKING_BACK else None,
        history_from=consent.history_from if scopes & words.LOOKING_BACK else None,
    )


def summaries(consents: Collection[Consent], user_id: UUID, *, now: datetime) -> list[Summary]:
    """In the order given; three queries, however many."""
    ids = [consent.id for consent in consents]
    rows = list(ConsentAccount.objects.filter(consent_id__in=ids))
    cards = directory.by_id({row.institution_id for row in rows})
    read = usage.by_consent(user_id, ids, now=now)
    return [
        _summary(consent, [row for row in rows if row.consent_id == consent.id], cards, read, now)
        for consent in consents
    ]


def bank_names(institution_ids: Iterable[UUID], cards: dict[UUID, InstitutionCard] | None = None) -> list[str]:
    wanted = set(institution_ids)
    known = directory.by_id(wanted) if cards is None else cards
    return sorted(known[bank].name if bank in known else "A bank that is no longer here" for bank in wanted)


def _summary(
    consent: Consent,
    rows: list[ConsentAccount],
    cards: dict[UUID, InstitutionCard],
    read: dict[UUID, Usage],
    now: datetime,
) -> Summary:
    status = status_at(consent, now)
    on_hold = {row.institution_id for row in rows if row.status == ConsentAccountStatus.SUSPENDED}
    return Summary(
        id=consent.id,
        platform=consent.platform.name,
        legal_name=consent.platform.legal_name,
        status=status,
        words=words.STATUS_WORDS[status],
        cause=words.cause(
            status,
            Initiator(consent.status_initiator),
            was_granted=consent.authorised_at is not None,
            platform=consent.platform.name,
        ),
        terms=terms_of(consent),
        banks=bank_names((row.institution_id for row in rows), cards),
        banks_on_hold=bank_names(on_hold, cards),
        accounts=sum(row.status != ConsentAccountStatus.REVOKED for row in rows),
        granted_at=consent.authorised_at,
        expires_at=consent.expires_at,
        days_left=max((consent.expires_at.date() - now.date()).days, 0),
        ended_at=consent.ended_at or (consent.expires_at if status == ConsentStatus.EXPIRED else None),
        usage=read.get(consent.id, Usage()),
    )


def _history_days(consent: Consent) -> int | None:
    return (consent.created_at.date() - consent.history_from).days if consent.history_from else None
