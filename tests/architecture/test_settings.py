"""What is wrong in an installation stops it at the door, names the variable, and never shows its value."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from gateway import environment
from gateway.environment import EnvironmentInvalid
from tests.architecture.source import ROOT
from tests.environment import generated_secrets

SECRETS = ("SLUICE_SECRET_KEY", "SLUICE_VAULT_KEYS", "SLUICE_PAIRWISE_ROOT_KEY")
TELLTALE = "telltale-value-that-nobody-may-print"


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A complete environment of an installation on https, without a folder of secrets."""
    for name in list(os.environ):
        if name.startswith(("SLUICE_", "DATABASE_URL", "REDIS_URL")):
            monkeypatch.delenv(name)
    for name in SECRETS:
        monkeypatch.setenv(name, generated_secrets()[name])
    monkeypatch.setenv("SLUICE_ISSUER", "https://sluice.example")
    monkeypatch.setenv("SLUICE_DATA_DIRECTORY", str(tmp_path))
    return monkeypatch


def _refused() -> str:
    with pytest.raises(EnvironmentInvalid) as refused:
        environment.load()
    return str(refused.value)


@pytest.mark.parametrize(("pooler", "is_kept"), [("transaction", True), ("session", False)])
def test_behind_a_pooler_by_transaction_nothing_is_left_on_a_connection(
    monkeypatch: pytest.MonkeyPatch, pooler: str, is_kept: bool
) -> None:
    from gateway import settings

    monkeypatch.setattr(settings.ENVIRONMENT, "sluice_database_pooler", pooler)

    database = settings._database("postgresql://sluice@127.0.0.1/sluice", Path("unused"))

    assert database["DISABLE_SERVER_SIDE_CURSORS"] is is_kept


def test_what_the_address_of_the_database_asks_of_its_connections_is_asked() -> None:
    """TLS above all: passed over, it would be believed in and not be there."""
    from gateway import settings

    asked = "sslmode=verify-full&sslrootcert=%2Fcertificates%2Fbank.pem&connect_timeout=5"
    database = settings._database(f"postgresql://sluice@db.bank.example/sluice?{asked}", Path("unused"))
    by_socket = settings._database("postgresql://sluice@/sluice?host=/run/postgresql", Path("unused"))

    assert database["HOST"] == "db.bank.example"
    assert database["OPTIONS"] == {
        "sslmode": "verify-full",
        "sslrootcert": "/certificates/bank.pem",
        "connect_timeout": "5",
    }
    assert (by_socket["HOST"], by_socket["OPTIONS"]) == ("/run/postgresql", {})


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://sluice@db/sluice?sslmod={TELLTALE}",
        f"postgresql://sluice@db/sluice?{TELLTALE}",
        f"postgresql://sluice:{TELLTALE}/rest@db/sluice",  # a password that is not written for an address
        f"postgresql://sluice:first?{TELLTALE}@db/sluice",
        f"postgresql://sluice:first#{TELLTALE}@db/sluice",
        f"mysql://sluice:{TELLTALE}@db/sluice",
    ],
)
def test_an_address_of_the_database_that_cannot_be_read_is_refused_and_not_echoed(address: str) -> None:
    from gateway import settings

    with pytest.raises(EnvironmentInvalid) as refused:
        settings._database(address, Path("unused"))

    assert "DATABASE_URL" in str(refused.value)
    assert TELLTALE not in repr(refused.getrepr(style="short")) + str(refused.value)


def test_a_pooler_of_no_known_kind_is_refused(installation: pytest.MonkeyPatch) -> None:
    installation.setenv("SLUICE_DATABASE_POOLER", "statement")

    assert "SLUICE_DATABASE_POOLER" in _refused()


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_complete_environment_loads(installation: pytest.MonkeyPatch) -> None:
    assert environment.load().sluice_issuer == "https://sluice.example"


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_default(installation: pytest.MonkeyPatch, name: str) -> None:
    installation.delenv(name)

    text = _refused()

    assert f"missing or unusable: {name} (is not set). Start `python3 run.py` once" in text
    assert not any(other in text for other in SECRETS if other != name)


def test_all_that_is_missing_is_told_at_once(installation: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        installation.delenv(name)

    text = _refused()

    assert all(name in text for name in SECRETS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_VAULT_KEYS", "{}"),
        ("SLUICE_VAULT_KEYS", f'{{"a": "{TELLTALE}"}}'),
        ("SLUICE_VAULT_KEYS", f'["{TELLTALE}"]'),
        ("SLUICE_VAULT_KEYS", '{"a": "c2hvcnQ="}'),
        ("SLUICE_PAIRWISE_ROOT_KEY", TELLTALE),
        ("SLUICE_PAIRWISE_ROOT_KEY", "c2hvcnQ="),
        ("SLUICE_TICK_SECONDS", TELLTALE),
        ("SLUICE_JOB_LEASE_SECONDS", "0"),
        ("SLUICE_TRUSTED_PROXIES", "-1"),
        ("SLUICE_VAULT_KEYS", f'{{"a": {TELLTALE}'),
        ("SLUICE_MAIL_HOST", TELLTALE),  # nobody it could be from
        ("SLUICE_MAIL_PORT", "0"),
        ("REDIS_URL", f"{TELLTALE}"),
        ("REDIS_URL", f"http://:{TELLTALE}@redis:6379/0"),
        ("REDIS_URL", f"redis://:{TELLTALE}/rest@redis:6379/0"),
        ("REDIS_URL", f"redis://:first#{TELLTALE}@redis:6379/0"),
        ("SLUICE_MAIL_TLS", "none"),  # in the clear, and not on loopback
        ("SLUICE_MAIL_TLS", TELLTALE),
        ("SLUICE_MAIL_FROM", f"{TELLTALE}"),
        ("SLUICE_MAIL_FROM", f"Sluice\r\nBcc: {TELLTALE}@evil.example"),
    ],
)
def test_a_value_that_cannot_work_names_its_variable_and_is_not_echoed(
    installation: pytest.MonkeyPatch, name: str, value: str
) -> None:
    installation.setenv(name, value)

    text = _refused()

    assert f"missing or unusable: {name} (" in text
    assert TELLTALE not in text
    assert "run.py" not in text, "no secret is missing"


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SLUICE_ISSUER", "http://sluice.example", "must be https unless it is on loopback"),
        ("SLUICE_ISSUER", "https://sluice.example/", "must be an origin such as https://sluice.example, without"),
        ("SLUICE_JOB_LEASE_SECONDS", "0", "should be greater than or equal to 4"),
        ("SLUICE_TICK_SECONDS", "often", "should be a valid number"),
        ("SLUICE_DATABASE_POOLER", "statement", "should be 'session' or 'transaction'"),
        ("SLUICE_METRICS_TOKEN", "short", "must have 20 characters or more, or be empty"),
        ("SLUICE_PAIRWISE_ROOT_KEY", "c2hvcnQ", "must be the base64 of exactly 32 bytes"),
        ("SLUICE_VAULT_KEYS", "{", "must be JSON"),
        ("SLUICE_MAIL_HOST", "mail.bank.example", "belongs together with SLUICE_MAIL_FROM"),
    ],
)
def test_each_variable_that_cannot_work_is_told_with_what_is_wrong_with_it(
    installation: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    installation.setenv(name, value)

    assert f"missing or unusable: {name} ({what}" in _refused()


@pytest.mark.parametrize(
    "address",
    ["", "redis://127.0.0.1:6379", "redis://:p%2Fw@redis/0", "rediss://one:two@redis:6380/1?ssl_ca_certs=a.pem"],
)
def test_redis_is_named_by_an_address(installation: pytest.MonkeyPatch, address: str) -> None:
    installation.setenv("REDIS_URL", address)

    assert environment.load().redis_url == address


@pytest.mark.parametrize("sender", ["sluice@bank.example", "Sluice <sluice@bank.example>"])
def test_mail_needs_a_server_and_a_sender(installation: pytest.MonkeyPatch, sender: str) -> None:
    installation.setenv("SLUICE_MAIL_FROM", sender)
    assert "missing or unusable: SLUICE_MAIL_HOST" in _refused()

    installation.setenv("SLUICE_MAIL_HOST", "mail.bank.example")
    loaded = environment.load()

    assert (loaded.sluice_mail_port, loaded.sluice_mail_tls) == (587, "starttls")


def test_mail_goes_in_the_clear_to_loopback_only(installation: pytest.MonkeyPatch) -> None:
    installation.setenv("SLUICE_MAIL_FROM", "sluice@bank.example")
    installation.setenv("SLUICE_MAIL_HOST", "127.0.0.1")
    installation.setenv("SLUICE_MAIL_TLS", "none")

    assert environment.load().sluice_mail_tls == "none"


def test_a_worker_has_as_many_threads_as_is_said_within_bounds(installation: pytest.MonkeyPatch) -> None:
    assert environment.load().sluice_worker_threads == 8
    installation.setenv("SLUICE_WORKER_THREADS", "32")
    assert environment.load().sluice_worker_threads == 32

    for wrong in ("0", "513", "many"):
        installation.setenv("SLUICE_WORKER_THREADS", wrong)
        assert "SLUICE_WORKER_THREADS" in _refused()


def test_a_secret_may_be_a_mounted_file(installation: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "sluice_secret_key").write_text(TELLTALE)
    installation.delenv("SLUICE_SECRET_KEY")
    installation.setenv("SLUICE_SECRETS_DIRECTORY", str(folder))

    loaded = environment.load()

    assert loaded.sluice_secret_key.get_secret_value() == TELLTALE
    assert TELLTALE not in repr(loaded)


# -- the issuer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer",
    ["https://sluice.example", "https://sluice.example:8443", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"],
)  # fmt: skip
def test_an_issuer_is_an_https_origin_or_on_loopback(installation: pytest.MonkeyPatch, issuer: str) -> None:
    installation.setenv("SLUICE_ISSUER", issuer)

    assert environment.load().sluice_issuer == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "http://sluice.example",
        "http://127.0.0.1.sluice.example",
        "http://127.0.0.2.example",
        "http://localhost.example",
        "http://10.0.0.1:8000",
        "https://sluice.example/",
        "https://sluice.example/path",
        "https://sluice.example?query",
        "https://sluice.example#fragment",
        "ftp://sluice.example",
        "sluice.example",
        "",
    ],
)
def test_any_other_issuer_is_refused(installation: pytest.MonkeyPatch, issuer: str) -> None:
    installation.setenv("SLUICE_ISSUER", issuer)

    assert "missing or unusable: SLUICE_ISSUER (must be" in _refused()


# -- what is set ------------------------------------------------------------------------------------------------------


def test_debug_is_off_and_cannot_be_turned_on_by_a_variable() -> None:
    assert settings.DEBUG is False
    assert "DEBUG = False\n" in (ROOT / "gateway" / "settings.py").read_text()


def _gates() -> set[str]:
    from oauth2_provider import checks

    names = set(re.findall(r"COMPLIANT_BCP_RFC9700_[A-Z_]+", Path(checks.__file__).read_text()))
    from oauth2_provider.settings import DEFAULTS

    return names | {name for name in DEFAULTS if name.startswith("COMPLIANT_BCP_RFC9700_")}


#: Gates of the toolkit that are off, and why.
GATES_OFF = {
    # It asks for replay detection of rotated refresh tokens. Ours do not rotate, because clients authenticate and
    # rotation loses tokens in races (FAPI 2.0 section 5.3.2.1; RFC 9700 section 4.14.2 allows it).
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN",
}


def test_every_gate_of_the_toolkit_is_on_but_those_with_a_reason() -> None:
    assert len(_gates()) >= 10
    configured: dict[str, Any] = settings.OAUTH2_PROVIDER
    on_when_deployed = {"COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME"}  # off where an embedded sandbox runs on loopback

    assert {gate for gate in _gates() if configured.get(gate) is not True} <= GATES_OFF | on_when_deployed
    assert configured["COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME"] is (not settings.EMBEDDED)


def test_tokens_live_ten_minutes_codes_one_and_refresh_tokens_do_not_rotate() -> None:
    configured = settings.OAUTH2_PROVIDER

    assert configured["ACCESS_TOKEN_EXPIRE_SECONDS"] == 600
    assert configured["AUTHORIZATION_CODE_EXPIRE_SECONDS"] == 60
    assert configured["ROTATE_REFRESH_TOKEN"] is False


def test_all_six_models_of_the_toolkit_are_ours() -> None:
    from oauth2_provider.settings import oauth2_settings as toolkit

    models = [
        toolkit.APPLICATION_MODEL,
        toolkit.GRANT_MODEL,
        toolkit.ACCESS_TOKEN_MODEL,
        toolkit.REFRESH_TOKEN_MODEL,
        toolkit.ID_TOKEN_MODEL,
        settings.OAUTH2_PROVIDER_DEVICE_GRANT_MODEL,
    ]

    assert {model.partition(".")[0] for model in models} == {"consents"}


# -- deployed ---------------------------------------------------------------------------------------------------------

#: What `check --deploy` may silence, and nothing else.
SILENCED = ["oauth2_provider.W007"]  # the refresh token gate, see GATES_OFF

_PRINT_COOKIES = """
import django; django.setup()
from django.conf import settings as s
print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME)
print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.CSRF_COOKIE_HTTPONLY)
print(s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SAMESITE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS >= 31_536_000)
print(s.ALLOWED_HOSTS, s.DEBUG, s.OAUTH2_PROVIDER["ALLOWED_REDIRECT_URI_SCHEMES"])
"""


def _deployed(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", *SECRETS, "SLUICE_DATA_DIRECTORY")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **environment,
            "SLUICE_ISSUER": "https://sluice.example",
            "DJANGO_SETTINGS_MODULE": "gateway.settings",
            **more,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def _named(result: subprocess.CompletedProcess[str]) -> set[str]:
    return set(re.findall(r"\((\S+\.[WEC]\d+)\)", result.stdout + result.stderr))


def test_a_deployed_installation_hears_nothing_from_djangos_own_checks(tmp_path: Path) -> None:
    """On an empty database file without tables, so that what is said of rows is that there are none."""
    behind = {"SLUICE_DATA_DIRECTORY": str(tmp_path), "SLUICE_TRUSTED_PROXIES": "1"}
    result = _deployed("manage.py", "check", "--deploy", **behind)

    assert _named(result) == {"sluice.W006", "sluice.W007", "sluice.W008", "sluice.W009", "sluice.E010", "sluice.E014"}
    assert result.returncode == 1
    assert settings.SILENCED_SYSTEM_CHECKS == SILENCED


def test_a_deployed_installation_keeps_its_cookies_to_itself() -> None:
    result = _deployed("-c", _PRINT_COOKIES)

    assert result.stdout.splitlines() == [
        "__Host-sluice_session __Host-sluice_csrf",
        "True True True True",
        "Lax Lax True True",
        "['sluice.example'] False ['https']",
    ], result.stderr
