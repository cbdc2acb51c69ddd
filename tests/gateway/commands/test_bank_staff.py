"""`bank_staff`: who may open a bank's console is said by a command, and holds at once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from banks.models import Institution
from consents.models import AuditEntry
from gateway.identity import staff
from gateway.identity.models import User
from tests.support import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Institution:
    return cast.institution()


@pytest.fixture
def anne() -> User:
    return cast.person("anne")


def _say(bank: Institution, *arguments: str) -> str:
    told = StringIO()
    call_command("bank_staff", bank.slug, *arguments, stdout=told)
    return told.getvalue()


def _may_enter(user: User) -> list[str]:
    return [card.slug for card in staff.memberships(user)]


def test_who_is_added_may_enter_until_the_end_is_said(bank: Institution, anne: User) -> None:
    assert "nobody" in _say(bank)

    assert "Staff of northbank: anne." in _say(bank, "--add", "anne")
    assert _may_enter(anne) == ["northbank"]

    assert "nobody" in _say(bank, "--end", "anne")
    assert _may_enter(anne) == []
    assert "anne" in _say(bank, "--add", "anne")
    assert _may_enter(anne) == ["northbank"]
    actions = list(AuditEntry.objects.order_by("occurred_at").values_list("action", "institution_id"))
    assert actions == [(f"membership.{done}", bank.id) for done in ("added", "ended", "added")]


def test_one_alone_is_told_what_takes_two(bank: Institution, anne: User) -> None:
    assert "a second is needed" in _say(bank, "--add", "anne")
    cast.person("brian")
    assert "a second is needed" not in _say(bank, "--add", "brian")


@pytest.mark.parametrize("arguments", [["--add", "nobody-here"], ["--end", "anne"]])
def test_strangers_are_neither_added_nor_ended(bank: Institution, anne: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        _say(bank, *arguments)

    assert not AuditEntry.objects.exists()
