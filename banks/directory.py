"""Banks one may link, and what they are called. No customer data."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from banks.errors import InstitutionNotFound
from banks.models import Institution
from banks.types import InstitutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionCard:
    """One bank, as shown to people and platforms. `domain` is where its customers' browsers will go."""

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
    return [_card(row) for row in Institution.objects.order_by("name", "slug")]


def institution(slug: str) -> InstitutionCard:
    """Raises InstitutionNotFound."""
    row = Institution.objects.filter(slug=slug).first()
    if row is None:
        raise InstitutionNotFound(slug)
    return _card(row)


def by_id(institution_ids: Iterable[UUID]) -> dict[UUID, InstitutionCard]:
    return {row.id: _card(row) for row in Institution.objects.filter(id__in=set(institution_ids))}


def _card(row: Institution) -> InstitutionCard:
    return InstitutionCard(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country=row.country,
        status=InstitutionStatus(row.status),
        domain=urlsplit(row.authorization_url).netloc,
        history_days_max=row.history_days_max,
        consent_days_max=row.consent_days_max,
        is_sandbox=row.is_sandbox,
    )
