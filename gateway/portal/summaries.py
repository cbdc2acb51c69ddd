"""A consent in words: what the list, the detail page and the steps of the flow show of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from banks import directory
from banks.directory import InstitutionCard
from consents.models import Consent, ConsentAccount
from consents.scopes import DurationType, LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.standing import status_of
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus, Initiator
from gateway import words
from gateway.portal import halts, usage
from gateway.portal.halts import SERVED, Halted
from gateway.portal.sharing_words import Halt
from gateway.portal.usage import Usage
from gateway.words import ScopeWords, StatusWords

#: Before its end, a consent can be renewed (FDX: 30 days).
RENEWED_FROM = timedelta(days=30)

#: Ended by its clock, whether or not anybody has written it down.
_RAN_OUT = (ConsentStatus.EXPIRED, ConsentStatus.CONSUMED)


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
    halted: Halted
    is_reported: bool
    is_one_time: bool
    is_renewable: bool
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

    @property
    def is_running(self) -> bool:
        return self.status == ConsentStatus.AUTHORISED

    @property
    def is_paused(self) -> bool:
        return self.status == ConsentStatus.PAUSED

    @property
    def halts(self) -> tuple[Halt, ...]:
        return self.halted.halts


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


def summaries(consents: Collection[Consent], user_id: UUID, *, now: datetime, fully: bool = False) -> list[Summary]:
    """In the order given, of consents loaded with user and platform; four queries, however many.

    Of a live one that somebody may have stopped for now, why it is not served is asked for as well; `fully`: of each.
    """
    ids = [consent.id for consent in consents]
    rows = list(ConsentAccount.objects.filter(consent_id__in=ids))
    cards = directory.by_id({row.institution_id for row in rows})
    read = usage.by_consent(user_id, ids, now=now)
    live = [consent for consent in consents if status_of(consent, now) in LIVE_CONSENTS]
    live_ids = {consent.id for consent in live}
    asked = live_ids if fully else halts.suspects(live, [row for row in rows if row.consent_id in live_ids])
    names = {bank: card.name for bank, card in cards.items()}
    return [
        _summary(
            consent,
            [row for row in rows if row.consent_id == consent.id],
            cards,
            halts.halted(consent, names, now=now) if consent.id in asked else SERVED,
            read.get(consent.id, Usage()),
            now,
        )
        for consent in consents
    ]


def is_renewable(consent: Consent, now: datetime) -> bool:
    """Within RENEWED_FROM of its end, while it is not on hold. One for one use ends with it.

    One that was given for no longer than that is asked about in its second half, not on its first day.
    """
    status = status_of(consent, now)
    half = timedelta(days=consent.duration_days or 0) / 2
    return (
        status in (ConsentStatus.AUTHORISED, ConsentStatus.PAUSED)
        and consent.duration_type != DurationType.ONE_TIME
        and consent.expires_at - now <= min(RENEWED_FROM, half)
    )


def bank_name_of(institution_ids: Collection[UUID]) -> dict[UUID, str]:
    """A bank that is no longer here has no entry."""
    return {bank: card.name for bank, card in directory.by_id(institution_ids).items()} if institution_ids else {}


def bank_names(institution_ids: Iterable[UUID], cards: dict[UUID, InstitutionCard] | None = None) -> list[str]:
    wanted = set(institution_ids)
    known = directory.by_id(wanted) if cards is None else cards
    return sorted(known[bank].name if bank in known else "A bank that is no longer here" for bank in wanted)


def _summary(
    consent: Consent,
    rows: list[ConsentAccount],
    cards: dict[UUID, InstitutionCard],
    halted: Halted,
    read: Usage,
    now: datetime,
) -> Summary:
    status = status_of(consent, now)
    shared = [row for row in rows if row.status != ConsentAccountStatus.REVOKED]
    shown = ConsentStatus.SUSPENDED if status == ConsentStatus.AUTHORISED and halted.is_whole else status
    return Summary(
        id=consent.id,
        platform=consent.platform.name,
        legal_name=consent.platform.legal_name,
        status=status,
        words=words.STATUS_WORDS[shown],
        cause=words.cause(
            status,
            Initiator(consent.status_initiator),
            was_granted=consent.authorised_at is not None,
            platform=consent.platform.name,
        ),
        terms=terms_of(consent),
        banks=bank_names((row.institution_id for row in shared or rows), cards),
        halted=halted,
        is_reported=halts.is_reported(consent),
        is_one_time=consent.duration_type == DurationType.ONE_TIME,
        is_renewable=is_renewable(consent, now),
        accounts=len(shared),
        granted_at=consent.authorised_at,
        expires_at=consent.expires_at,
        days_left=max((consent.expires_at.date() - now.date()).days, 0),
        ended_at=consent.ended_at or (consent.expires_at if status in _RAN_OUT else None),
        usage=read,
    )


def _history_days(consent: Consent) -> int | None:
    return (consent.created_at.date() - consent.history_from).days if consent.history_from else None
