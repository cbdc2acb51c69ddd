"""Staff of an embedded instance can sign in with what is printed, at every start."""

from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.test import Client

from gateway.embedded import seed_people
from gateway.embedded.kept import Kept
from gateway.identity.models import User
from tests.support import factors


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Kept:
    monkeypatch.setenv("SLUICE_SECRETS_DIRECTORY", str(tmp_path))
    return Kept.load()


def with_password(name: str, kept: Kept) -> None:
    stored = dict(User.objects.values_list("username", "password"))
    seed_people.make(seed_people.stored_as({name: seed_people.password(name, kept)}, stored))


def signs_in(printed: dict[str, str], code: str) -> bool:
    browser = Client()
    browser.post("/sign-in/", {"login": printed["username"], "password": printed["password"]})
    browser.post("/sign-in/second-factor/", {"code": code})
    return "_auth_user_id" in browser.session


def test_staff_sign_in_with_the_printed_secret(kept: Kept) -> None:
    with_password("first-bank-admin", kept)
    printed = seed_people.bank_admin("first-bank-admin", "first-sandbox-bank", kept)

    assert signs_in(printed, factors.code_of(printed["totp_secret"]))
    assert not signs_in(printed, "000000")


def test_a_password_is_hashed_again_only_where_it_no_longer_fits(kept: Kept) -> None:
    with_password("alice", kept)
    user = User.objects.get()
    assert user.check_password(seed_people.password("alice", kept))

    with_password("alice", kept)
    assert User.objects.get().password == user.password

    user.set_password("something else, by hand")
    user.save()
    with_password("alice", kept)
    assert User.objects.get().check_password(seed_people.password("alice", kept))


def test_operator_is_one(kept: Kept) -> None:
    with_password("operator", kept)
    seed_people.operator("operator", kept)

    assert User.objects.filter(username="operator", is_staff=True, is_superuser=True).exists()


def test_second_start_changes_nothing_and_mends_what_was_changed(kept: Kept) -> None:
    with_password("operator", kept)
    first = seed_people.operator("operator", kept)
    factor = Authenticator.objects.get()
    kept.save()

    with_password("operator", Kept.load())
    assert seed_people.operator("operator", Kept.load()) == first
    assert Authenticator.objects.get().pk == factor.pk
    Authenticator.objects.all().delete()
    with_password("operator", Kept.load())
    seed_people.operator("operator", Kept.load())
    assert signs_in(first, factors.code_of(first["totp_secret"]))


def test_holders_have_an_address_for_notices_and_keep_their_own(kept: Kept) -> None:
    with_password("alice", kept)
    seed_people.holder("alice", kept)
    assert User.objects.get().email == "alice@example.test"

    User.objects.update(email="elsewhere@example.test")
    with_password("alice", kept)
    seed_people.holder("alice", kept)
    assert User.objects.get().email == "elsewhere@example.test"


def test_command_prints_the_code_of_now_for_the_people_it_knows(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    with_password("operator", kept)
    printed = seed_people.operator("operator", kept)
    kept.save()

    call_command("one_time_code", "operator")

    code = capsys.readouterr().out.strip()
    assert code in {factors.code_of(printed["totp_secret"], periods_ago=ago) for ago in (0, 1)}
    with pytest.raises(CommandError, match="Only an embedded instance"):
        call_command("one_time_code", "alice")
