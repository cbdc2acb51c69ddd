"""Banks one may link, what they are called, and which ids are whose. No customer data."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from banks.admission import BreakerStatus
from banks.errors import InstitutionNotFound
from banks.models import Account, Institution, InstitutionGate
from banks.types import InstitutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionCard:
    """One bank, as shown to people and platforms. `domain` is where its customers' browsers will go.

    `status`: what the operator set; while that is ALIVE, what the bank's breaker saw.
    """

    id: UUID
    slug: str
    name: str
    country: str
    status: InstitutionStatus
    domain: str
    history_days_max: int
    consent_days_max: int
    is_sandbox: bool


def institutions() -> list[InstitutionCard]:
    """Every bank, by name."""
    return _cards(Institution.objects.order_by("name", "slug"))


def institution(slug: str) -> InstitutionCard:
    """Raises InstitutionNotFound."""
    found = _cards(Institution.objects.filter(slug=slug))
    if not found:
        raise InstitutionNotFound(slug)
    return found[0]


def by_id(institution_ids: Iterable[UUID]) -> dict[UUID, InstitutionCard]:
    return {card.id: card for card in _cards(Institution.objects.filter(id__in=set(institution_ids)))}


def own_accounts(user_id: UUID) -> list[tuple[UUID, UUID]]:
    """(institution_id, account_id) of every account held of this person, by id: ids alone, which open nothing."""
    rows = Account.objects.for_sync().filter(user_id=user_id).order_by("id")
    return list(rows.values_list("institution_id", "id"))


#: OPEN: it does not answer. HALF_OPEN: whether it does again is being tried.
_STATUS_BY_BREAKER = {BreakerStatus.OPEN: InstitutionStatus.DOWN, BreakerStatus.HALF_OPEN: InstitutionStatus.PARTIAL}


def _cards(banks: QuerySet[Institution]) -> list[InstitutionCard]:
    breaker = InstitutionGate.objects.filter(institution_id=OuterRef("id")).values("breaker")
    return [_card(row, row.breaker) for row in banks.annotate(breaker=Subquery(breaker))]


def _card(row: Institution, breaker: str | None) -> InstitutionCard:
    status = InstitutionStatus(row.status)
    if status == InstitutionStatus.ALIVE and breaker is not None:
        status = _STATUS_BY_BREAKER.get(BreakerStatus(breaker), status)
    return InstitutionCard(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country=row.country,
        status=status,
        domain=urlsplit(row.authorization_url).netloc,
        history_days_max=row.history_days_max,
        consent_days_max=row.consent_days_max,
        is_sandbox=row.is_sandbox,
    )
