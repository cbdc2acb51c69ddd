"""`manage.py check --deploy`: what is unsafe is refused with what to type, and what is safe is not mentioned."""

import base64
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.checks import CheckMessage, Error, run_checks
from django.db import DatabaseError

from consents import clock, platforms
from consents.models import Platform
from consents.states import PlatformStatus
from gateway import checks
from gateway.checks import Check
from gateway.identity.models import User
from tests.support import cast, factors, ledger


def _key(byte: int = 0) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


@pytest.fixture
def safe(settings: Any, tmp_path: Path) -> Any:
    """Settings of an installation that nothing can be said against."""
    secrets, static = tmp_path / "secrets", tmp_path / "static"
    secrets.mkdir(mode=0o700)
    static.mkdir()
    (static / "site.css").touch()
    (secrets / "sluice_secret_key").write_text("x")
    (secrets / "sluice_secret_key").chmod(0o600)
    settings.EMBEDDED, settings.DEBUG = False, False
    settings.ISSUER = "https://sluice.bank.example"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS, settings.ALLAUTH_TRUSTED_PROXY_COUNT = 31_536_000, 1
    settings.REDIS_URL, settings.MAIL_FROM = "redis://redis/0", "sluice@bank.example"
    settings.METRICS_TOKEN = "a token of some length"
    settings.STATIC_ROOT, settings.SECRETS_DIRECTORY = static, secrets
    return settings


def _found(check: Check) -> dict[str, CheckMessage]:
    found = {str(one.id): one for one in check(None)}
    for one in found.values():
        assert one.hint, f"{one.id} does not say what to do"
    return found


OF_SETTINGS = (checks.mode, checks.transport, checks.keys, checks.secret_files)


def test_a_safe_installation_is_not_spoken_of(safe: Any) -> None:
    assert [one for check in OF_SETTINGS for one in check(None)] == []


@pytest.mark.parametrize(
    ("check", "name", "value", "expected"),
    [
        (checks.mode, "EMBEDDED", True, "sluice.E001"),
        (checks.mode, "DEBUG", True, "sluice.E002"),
        (checks.transport, "ISSUER", "http://127.0.0.1:8000", "sluice.E003"),
        (checks.transport, "SESSION_COOKIE_SECURE", False, "sluice.E004"),
        (checks.transport, "CSRF_COOKIE_SECURE", False, "sluice.E004"),
        (checks.transport, "SECURE_HSTS_SECONDS", 0, "sluice.E004"),
        (checks.transport, "ALLAUTH_TRUSTED_PROXY_COUNT", 0, "sluice.W005"),
        (checks.servers, "REDIS_URL", "", "sluice.W007"),
        (checks.servers, "MAIL_FROM", "", "sluice.W008"),
        (checks.servers, "METRICS_TOKEN", "", "sluice.W009"),
        (checks.servers, "STATIC_ROOT", Path("/nowhere"), "sluice.E010"),
        (checks.keys, "VAULT_KEYS", {"a": _key()}, "sluice.E011"),
        (checks.keys, "PAIRWISE_ROOT_KEY", _key(7), "sluice.E011"),
    ],
)
def test_each_unsafe_setting_is_found_with_what_to_type(
    safe: Any, check: Check, name: str, value: object, expected: str
) -> None:
    assert expected not in _found(check)

    setattr(safe, name, value)

    found = _found(check)[expected]
    assert isinstance(found, Error) == (".E" in expected)


def test_sqlite_is_a_warning(safe: Any) -> None:
    engine = safe.DATABASES["default"]["ENGINE"]
    assert ("sluice.W006" in _found(checks.servers)) == engine.endswith("sqlite3")

    other = "postgresql" if engine.endswith("sqlite3") else "sqlite3"
    safe.DATABASES = {"default": {"ENGINE": f"django.db.backends.{other}"}}

    assert ("sluice.W006" in _found(checks.servers)) == (other == "sqlite3")


def test_one_key_for_two_purposes_is_refused_and_no_key_is_shown(safe: Any) -> None:
    safe.VAULT_KEYS = {"a": safe.PAIRWISE_ROOT_KEY}

    found = _found(checks.keys)

    assert set(found) == {"sluice.E012"}
    assert safe.PAIRWISE_ROOT_KEY not in str(found)


def test_secrets_that_others_may_read_are_refused(safe: Any) -> None:
    folder: Path = safe.SECRETS_DIRECTORY
    (folder / "sluice_secret_key").chmod(0o644)
    assert _found(checks.secret_files) == {}, "nobody else can enter the folder"

    folder.chmod(0o755)

    found = _found(checks.secret_files)["sluice.E013"]
    assert "sluice_secret_key" in found.msg
    assert f"chmod 700 {folder}" in (found.hint or "")


def test_secrets_that_are_variables_have_no_files_to_look_at(safe: Any, tmp_path: Path) -> None:
    safe.SECRETS_DIRECTORY = tmp_path / "none"

    assert _found(checks.secret_files) == {}


@pytest.mark.django_db
def test_an_installation_in_which_all_is_done_passes_every_check_there_is(safe: Any) -> None:
    """Django's, the libraries' and ours together, with nothing silenced but what the settings silence."""
    safe.SECURE_SSL_REDIRECT = safe.SECURE_HSTS_INCLUDE_SUBDOMAINS = safe.SECURE_HSTS_PRELOAD = True
    safe.SECRET_KEY = "a-secret-of-its-own-with-more-than-fifty-characters-0123456789"
    safe.OAUTH2_PROVIDER = {**safe.OAUTH2_PROVIDER, "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True}
    for name in ("operator", "second-operator"):
        person = User.objects.create(username=name, is_staff=True, is_superuser=True)
        factors.set_up_codes(person)

    found = {one.id for one in run_checks(include_deployment_checks=True) if not one.is_silenced()}

    assert found - {"sluice.W006"} == set()


# -- what is in the database -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_pretend_banks_and_sandbox_platforms_are_refused() -> None:
    bank = ledger.institution()
    type(bank).objects.filter(id=bank.id).update(is_sandbox=False)
    chat = cast.chat().platform
    Platform.objects.filter(id=chat.id).update(is_sandbox=False)
    assert not {"sluice.E015", "sluice.E016"} & set(_found(checks.rows))

    type(bank).objects.filter(id=bank.id).update(is_sandbox=True)
    Platform.objects.filter(id=chat.id).update(is_sandbox=True)

    found = _found(checks.rows)
    assert bank.slug in found["sluice.E015"].msg
    assert chat.client_id in found["sluice.E016"].msg
    platforms.change_status(chat, PlatformStatus.REVOKED, reason="test", actor=cast.BY_OPERATOR, now=clock.now())
    assert "sluice.E016" not in _found(checks.rows)


@pytest.mark.django_db
def test_staff_without_a_second_factor_and_a_lone_operator_are_told() -> None:
    clerk, operator = factors.clerk(ledger.institution()), factors.operator()
    found = _found(checks.rows)
    assert found["sluice.W017"].msg.startswith("2 of staff")
    assert "sluice.W018" in found

    for person in (clerk, operator):
        factors.set_up_codes(person)
    User.objects.create(username="second-operator", is_staff=True, is_superuser=True)
    second = User.objects.get(username="second-operator")
    Authenticator.objects.create(user=second, type=Authenticator.Type.WEBAUTHN, data={"credential": {}})

    assert not {"sluice.W017", "sluice.W018"} & set(_found(checks.rows))


@pytest.mark.django_db
def test_codes_for_a_lost_telephone_alone_are_no_second_factor() -> None:
    operator = factors.operator()
    Authenticator.objects.create(user=operator, type=Authenticator.Type.RECOVERY_CODES, data={})

    assert _found(checks.rows)["sluice.W017"].msg.startswith("1 of staff")


def test_a_database_that_does_not_answer_is_an_error_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> list[Any]:
        raise DatabaseError("could not connect to db.internal")

    monkeypatch.setattr(checks.directory, "institutions", gone)

    found = _found(checks.rows)

    assert set(found) == {"sluice.E014"}
    assert "db.internal" not in str(found)
