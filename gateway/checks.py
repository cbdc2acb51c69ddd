"""`manage.py check --deploy`: what must not be so where other people's data is. Each finding says what to type.

Errors are refusals (exit code 1), warnings are for whoever knows better. Django's own checks run beside these.
"""

import base64
import stat
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError
from django.db.models import Exists, OuterRef

from banks import directory
from consents.models import Platform
from consents.states import PlatformStatus
from gateway import advice
from gateway.identity.models import Membership, MembershipRole, User

Check = Callable[..., list[CheckMessage]]


def _deployed(check: Callable[[], Iterable[CheckMessage]]) -> Check:
    def run(app_configs: Any, **options: Any) -> list[CheckMessage]:
        return list(check())

    run.__name__ = check.__name__
    register(run, Tags.security, deploy=True)
    return run


# -- what is set -------------------------------------------------------------------------------------------------------


@_deployed
def mode() -> Iterable[CheckMessage]:
    if settings.EMBEDDED:
        yield Error(
            "SLUICE_EMBEDDED is set: passwords are printed, mail goes to a page, http is taken for platforms.",
            hint="Type: unset SLUICE_EMBEDDED (in .env: SLUICE_EMBEDDED=0).",
            id="sluice.E001",
        )
    if settings.DEBUG:
        yield Error(
            "DEBUG is on: error pages show values.", hint="Set DEBUG = False in the settings.", id="sluice.E002"
        )


@_deployed
def transport() -> Iterable[CheckMessage]:
    if urlsplit(settings.ISSUER).scheme != "https":
        yield Error(
            "SLUICE_ISSUER is not https: tokens and sessions would travel in the clear.",
            hint="Put a proxy that does TLS in front and type: export SLUICE_ISSUER=https://sluice.your.domain",
            id="sluice.E003",
        )
        return
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE and settings.SECURE_HSTS_SECONDS):
        yield Error(
            "Cookies or HSTS do not hold browsers to https.",
            hint="Take your own values of SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE, SECURE_HSTS_SECONDS out again.",
            id="sluice.E004",
        )
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT == 0:
        yield Warning(
            "SLUICE_TRUSTED_PROXIES is 0 behind https: everybody shares the proxy's address and its sign-in limits.",
            hint="Type: export SLUICE_TRUSTED_PROXIES=1 (as many as you have in a row).",
            id="sluice.W005",
        )


@_deployed
def servers() -> Iterable[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Warning(
            "The database is SQLite: one host, one writer at a time.",
            hint="Type: export DATABASE_URL=postgresql://user:password@host:5432/name",
            id="sluice.W006",
        )
    if not settings.REDIS_URL:
        yield Warning(
            "There is no Redis: limits, caches and the queue's messages go through database and files.",
            hint="Type: export REDIS_URL=redis://:password@host:6379/0",
            id="sluice.W007",
        )
    if not settings.MAIL_FROM:
        yield Warning(
            "No mail is sent: people learn of new consents, and of what ends, only on their own page.",
            hint="Set SLUICE_MAIL_FROM and SLUICE_MAIL_HOST (docs/operator.md, Running it).",
            id="sluice.W008",
        )
    if not settings.METRICS_TOKEN:
        yield Warning(
            "/metrics is closed to everybody: SLUICE_METRICS_TOKEN is not set.",
            hint="Type: python3 -c 'import secrets; print(secrets.token_urlsafe(32))' and set it as a secret.",
            id="sluice.W009",
        )
    if not any(Path(settings.STATIC_ROOT).glob("*")):
        yield Error(
            "Static files are not collected: pages would come without their styles.",
            hint=f"Type: {advice.manage('collectstatic --noinput')}",
            id="sluice.E010",
        )


# -- secrets -----------------------------------------------------------------------------------------------------------


@_deployed
def keys() -> Iterable[CheckMessage]:
    ring = {name: base64.b64decode(key) for name, key in settings.VAULT_KEYS.items()}
    named = {**{f"key {name!r} of SLUICE_VAULT_KEYS": key for name, key in ring.items()}}
    named["SLUICE_PAIRWISE_ROOT_KEY"] = base64.b64decode(settings.PAIRWISE_ROOT_KEY)
    for name, key in named.items():
        if len(set(key)) == 1:
            yield Error(f"{name} is no key: all of its bytes are the same.", hint=_NEW_KEY, id="sluice.E011")
    if len(set(named.values())) < len(named):
        yield Error("Two keys are the same: each has one purpose.", hint=_NEW_KEY, id="sluice.E012")


_NEW_KEY = "Type: python3 -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'"


@_deployed
def secret_files() -> Iterable[CheckMessage]:
    folder: Path = settings.SECRETS_DIRECTORY
    open_to_others = [path.name for path in readable_by_others(folder)]
    if open_to_others:
        yield Error(
            f"Secrets that others on this machine may read: {', '.join(sorted(open_to_others))}.",
            hint=f"Type: chmod 700 {folder} && chmod 600 {folder}/*",
            id="sluice.E013",
        )


def readable_by_others(folder: Path) -> list[Path]:
    """The files in `folder` that group or others may read; none where they cannot enter the folder itself."""
    if not folder.is_dir() or not folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return []
    others = stat.S_IRGRP | stat.S_IROTH
    return [path for path in folder.iterdir() if path.is_file() and path.stat().st_mode & others]


# -- what is in the database -------------------------------------------------------------------------------------------


@_deployed
def rows() -> Iterable[CheckMessage]:
    try:
        yield from chain(_sandbox(), _staff())
    except DatabaseError:
        yield Error(
            "The database does not answer, or its tables are not there.",
            hint=f"Type: {advice.manage('migrate')} (and {advice.doctor()}, if that fails).",
            id="sluice.E014",
        )


def _sandbox() -> Iterable[CheckMessage]:
    pretend = [card.slug for card in directory.institutions() if card.is_sandbox]
    if pretend:
        yield Error(
            f"Pretend banks are among the banks: {', '.join(pretend)}. Plain http and loopback are open for them.",
            hint="Begin with a database of its own for real banks.",
            id="sluice.E015",
        )
    platforms = Platform.objects.filter(is_sandbox=True).exclude(status=PlatformStatus.REVOKED)
    names = list(platforms.order_by("client_id").values_list("client_id", flat=True))
    if names:
        yield Error(
            f"Sandbox platforms are registered: {', '.join(names)}. They may use http addresses.",
            hint="Withdraw them at /operator/consents/platform/, or begin with a database of its own.",
            id="sluice.E016",
        )


def _staff() -> Iterable[CheckMessage]:
    factor = Exists(Authenticator.objects.filter(user_id=OuterRef("id")).exclude(type="recovery_codes"))
    at_banks = Membership.objects.filter(role=MembershipRole.BANK_ADMIN, ended_at=None).values("user_id")
    operators = User.objects.filter(is_active=True, is_staff=True, is_superuser=True)
    everybody = operators | User.objects.filter(is_active=True, id__in=at_banks)
    without = everybody.filter(~factor).distinct().count()
    if without:
        yield Warning(
            f"{without} of staff and operators have no second factor yet; until then they can do nothing.",
            hint="Each of them signs in and opens /security/ to set one up.",
            id="sluice.W017",
        )
    if operators.count() < 2:
        yield Warning(
            "There are fewer than two operators: what one stops, nobody can give back.",
            hint=f"Type: {advice.manage('createsuperuser')}",
            id="sluice.W018",
        )
