"""/v1/events: which deliveries a platform is told, and with what. Decided when they are read, from rows as they are.

What happened to a consent is its platform's to know. What happened on a connection is told only where the consent opens
the accounts on it now, and a change of transactions only where a row changed that the consent lets through: an event
must not say that something happened on an account, or in a shop, that is not shared.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from banks import directory, read
from banks.authority import Opened, opened_on_connections
from consents import errors, event_log, revocations
from consents.errors import PermitExpired
from consents.events import EventType
from consents.models import Consent, Delivery, Event
from consents.scopes import Purpose, Scope
from gateway import pairwise
from gateway.api import bodies, event_cursors
from gateway.api.caller import PlatformCaller
from gateway.api.parameters import EventQuery
from gateway.api.render import Body, institution_name, plain
from gateway.errors import EventsGone, FieldProblem, RequestInvalid

#: Of an event's own details, what goes over as it is; counts of rows, for one, do not.
_PLAIN_DETAILS = ("reason", "initiator", "code", "days")

#: A consent, and a connection it reaches; None: an event of the consent as such.
_Link = tuple[UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class _Told:
    delivery: Delivery
    opened: Sequence[Opened]  #: on the event's connection; none where it concerns a consent as such


def events(caller: PlatformCaller, query: EventQuery) -> Body:
    """One page. Raises CursorInvalid, EventsGone."""
    platform_id = caller.platform.id
    after = None if query.after is None else event_cursors.open_sealed(query.after, platform_id)
    event_log.spread(now=caller.now)
    with _sealing_where_to_go_on(platform_id):
        page = event_log.page(platform_id, after=after, limit=query.limit)
    consents = _consents(page.deliveries)
    told = _told(page.deliveries, consents, caller.now)
    ended = [one.delivery.consent_id for one in told if one.delivery.event.type == EventType.CONSENT_REVOKED]
    if ended:
        revocations.notified(ended, now=caller.now)
    return {
        "events": _bodies(caller, told, consents),
        "next_after": event_cursors.seal(page.position, platform_id),
        "has_more": page.has_more,
    }


def wanted(body: bytes) -> str:
    """The cursor that an acknowledgement names. Raises RequestInvalid with every finding at once."""
    findings: list[FieldProblem] = []
    through = bodies.json_object(body, ("through",), findings).get("through")
    if not isinstance(through, str):
        detail = "`next_after` of an answer whose events you have dealt with."
        findings.append(FieldProblem(pointer="/through", code="required", detail=detail))
    if findings or not isinstance(through, str):
        raise RequestInvalid(findings)
    return through


def acknowledge(caller: PlatformCaller, through: str) -> Body:
    """How far the platform has acknowledged now. Raises CursorInvalid, EventsGone."""
    platform_id = caller.platform.id
    sequence = event_cursors.open_sealed(through, platform_id)
    with _sealing_where_to_go_on(platform_id):
        reached = event_log.acknowledge(platform_id, through=sequence, now=caller.now)
    return {"acknowledged_through": event_cursors.seal(reached, platform_id)}


@contextmanager
def _sealing_where_to_go_on(platform_id: UUID) -> Iterator[None]:
    try:
        yield
    except errors.EventsGone as gone:
        raise EventsGone(event_cursors.seal(gone.position, platform_id)) from None


# -- what is told ------------------------------------------------------------------------------------------------------


def _consents(deliveries: Sequence[Delivery]) -> dict[UUID, Consent]:
    rows = Consent.objects.select_related("user", "platform").in_bulk({one.consent_id for one in deliveries})
    # The log is the platform's own and so are its consents; a row that says otherwise tells nothing.
    return {
        one.consent_id: consent
        for one in deliveries
        if (consent := rows.get(one.consent_id)) is not None and consent.platform_id == one.platform_id
    }


def _told(deliveries: Sequence[Delivery], consents: Mapping[UUID, Consent], now: datetime) -> list[_Told]:
    own = [one for one in deliveries if one.consent_id in consents]
    renewals = {one for one in own if one.event.type == EventType.CONNECTION_NEEDS_RENEWAL}
    links = _links(set(own) - renewals, consents, now)
    # Where the link itself has run out nothing is open, and that is just what is to be told: it is what the platform
    # hears as `connection_not_serving` when it asks.
    unserved = _links(renewals, consents, now, whatever_the_link=True)
    changes = _Changes(own, now)
    told = []
    for one in own:
        opened = (unserved if one in renewals else links).get(_link_of(one), [])
        if one.event.type == EventType.TRANSACTIONS_UPDATED:
            opened = [part for part in opened if changes.concern(one, part)]
        if opened or one.event.connection_id is None:
            told.append(_Told(one, opened))
    return told


def _link_of(one: Delivery) -> _Link:
    return one.consent_id, one.event.connection_id


def _links(
    deliveries: Collection[Delivery],
    consents: Mapping[UUID, Consent],
    now: datetime,
    *,
    whatever_the_link: bool = False,
) -> Mapping[_Link, Sequence[Opened]]:
    concerned = {one.consent_id for one in deliveries if one.event.connection_id is not None}
    opened = opened_on_connections(
        [consents[consent_id] for consent_id in sorted(concerned)], now=now, whatever_the_link=whatever_the_link
    )
    return {(consent_id, connection_id): found for (consent_id, connection_id), found in opened.items()}


class _Changes:
    """What changed, as each consent sees it: looked up once for all events of a page on one link."""

    def __init__(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        self._now = now
        self._since: dict[_Link, int] = {}
        for one in deliveries:
            if one.event.type == EventType.TRANSACTIONS_UPDATED:
                known = self._since.get(_link_of(one), _changed_after(one))
                self._since[_link_of(one)] = min(known, _changed_after(one))
        self._last: dict[tuple[_Link, Purpose | None], int | None] = {}

    def concern(self, one: Delivery, opened: Opened) -> bool:
        """Whether a row changed that this purpose of the consent hands out, or works something out from."""
        if Scope.TRANSACTIONS not in opened.part.released and not opened.part.derivable:
            return False
        key = (_link_of(one), opened.permit.purpose)
        if key not in self._last:
            self._last[key] = self._look(opened, self._since[_link_of(one)])
        last = self._last[key]
        return last is not None and last > _changed_after(one)

    def _look(self, opened: Opened, after: int) -> int | None:
        try:
            return read.last_change(opened.permit, opened.part, opened.account_ids, after=after, now=self._now)
        except PermitExpired:
            return None


def _changed_after(one: Delivery) -> int:
    return int(one.event.details.get("changed_after", 0))


# -- the answer --------------------------------------------------------------------------------------------------------


def _bodies(caller: PlatformCaller, told: Sequence[_Told], consents: Mapping[UUID, Consent]) -> list[Body]:
    platform_id = caller.platform.id
    cards = directory.by_id(bank for one in told if (bank := _acting_bank(one.delivery.event)) is not None)
    event_ids = pairwise.encode_all("evt", platform_id, [one.delivery.id for one in told])
    consent_ids = pairwise.encode_all("con", platform_id, [one.delivery.consent_id for one in told])
    return [
        {
            "event_id": event_id,
            "type": one.delivery.event.type,
            "occurred_at": plain(one.delivery.event.occurred_at),
            "consent_id": consent_id,
            "details": _details(one, consents[one.delivery.consent_id], platform_id, cards.get),
        }
        for one, event_id, consent_id in zip(told, event_ids, consent_ids, strict=True)
    ]


def _details(
    one: _Told, consent: Consent, platform_id: UUID, card_of: Callable[[UUID], directory.InstitutionCard | None]
) -> Body:
    event = one.delivery.event
    details: Body = {name: event.details[name] for name in _PLAIN_DETAILS if name in event.details}
    bank = _acting_bank(event)
    card = None if bank is None else card_of(bank)
    # Which bank it is belongs to the scope `accounts`, here as everywhere.
    if card is not None and Scope.ACCOUNTS in consent.scopes:
        details["institution"] = institution_name(card)
    if account_ids := _account_ids(event, one.opened):
        details["account_ids"] = pairwise.encode_all("acc", platform_id, account_ids)
    return details


def _acting_bank(event: Event) -> UUID | None:
    named = event.details.get("institution_id")
    return UUID(named) if isinstance(named, str) else None


def _account_ids(event: Event, opened: Sequence[Opened]) -> list[UUID]:
    """Of accounts whose ids the platform may know anyway: those something is released of."""
    if event.type == EventType.TRANSACTIONS_UPDATED:
        knowing = [one for one in opened if Scope.TRANSACTIONS in one.part.released]
    else:
        knowing = [one for one in opened if one.part.released]
    return sorted({account_id for one in knowing for account_id in one.account_ids})
