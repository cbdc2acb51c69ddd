"""Signing a policy: limits in days that are no limits are refused, and named."""

from uuid import uuid4

import pytest

from consents import policies
from consents.errors import RequestNotAllowed
from consents.models import BankPolicy
from consents.policies import PolicyTerms
from consents.scopes import Purpose, Scope
from tests.support.ledger import BY_OPERATOR, NOW

pytestmark = pytest.mark.django_db


def _sign(**days: int | None) -> BankPolicy:
    terms = PolicyTerms(scopes=frozenset(Scope), purposes=frozenset(Purpose), **days)  # type: ignore[arg-type]
    return policies.sign(
        institution_id=uuid4(), platform_id=None, terms=terms, approved_by=[], actor=BY_OPERATOR, now=NOW
    )


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("history_days_max", 0),
        ("history_days_max", -5),
        ("history_days_max", 731),
        ("duration_days_max", 0),
        ("duration_days_max", 366),
    ],
)
def test_days_out_of_range_are_refused_by_name(field: str, days: int) -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _sign(**{field: days})

    assert refused.value.field == field
    assert not BankPolicy.objects.exists()


def test_the_widest_limits_and_none_at_all_are_signed() -> None:
    assert _sign(history_days_max=730, duration_days_max=365).version == 1
    assert _sign(history_days_max=None, duration_days_max=None).version == 1
