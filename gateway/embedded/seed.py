"""What an embedded instance starts with. Passwords and client secrets are random, and kept in the secrets folder only
so that a second start can print them again."""

import json
import os
import secrets
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from banks import directory, institutions, sessions
from banks.directory import InstitutionCard
from banks.institutions import InstitutionData
from consents import platforms, policies
from consents.audit import Actor
from consents.models import BankPolicy, Platform
from consents.models.tokens import digest
from consents.policies import PolicyTerms
from consents.scopes import LocationPrecision, Purpose, Scope
from consents.states import Initiator, PlatformStatus
from gateway.identity.models import Membership, MembershipRole, User

BANK_SLUG = "first-sandbox-bank"
BANK_NAME = "First Sandbox Bank"
CLIENT_ID = "sluice"

_OPERATOR = Actor(initiator=Initiator.OPERATOR)
_HOLDERS = ("alice", "bob")
_BANK_ADMINS = ("first-bank-admin",)
_PLATFORMS: dict[str, tuple[str, ...]] = {
    "Messenger": tuple(Purpose),
    "Budget Bot": (Purpose.BUDGETING, Purpose.SPENDING_INSIGHTS),
}


def seed(*, now: datetime) -> dict[str, Any]:
    """Make what is missing; describe all of it: platforms, users, bank_admins, banks."""
    kept = _Kept.load()
    with transaction.atomic():
        institution = _bank(now)
        users = [_user(name, kept) for name in _HOLDERS]
        admins = [_user(name, kept) for name in _BANK_ADMINS]
        for admin in admins:
            Membership.objects.get_or_create(
                user=User.objects.get(username=admin["username"]),
                role=MembershipRole.BANK_ADMIN,
                institution_id=institution.id,
            )
        registered = [_platform(name, purposes, kept, now) for name, purposes in _PLATFORMS.items()]
        _policy(institution, admins, now)
        kept.save()
    return {
        "platforms": registered,
        "users": users,
        "bank_admins": [{**admin, "bank": BANK_SLUG} for admin in admins],
        "banks": [
            {"slug": BANK_SLUG, "name": BANK_NAME, "issuer": os.environ["SANDBOX_ISSUER"], "users": _scenarios()}
        ],
    }


class _Kept:
    """Passwords and secrets by name, in one file that only this user may read."""

    def __init__(self, path: Path, values: dict[str, str]) -> None:
        self.path = path
        self.values = values

    @classmethod
    def load(cls) -> "_Kept":
        folder = Path(os.environ.get("SLUICE_SECRETS_DIRECTORY", settings.DATA_DIRECTORY / "secrets"))
        path = folder / "embedded_credentials.json"
        return cls(path, json.loads(path.read_text()) if path.exists() else {})

    def get(self, name: str) -> str:
        return self.values.setdefault(name, secrets.token_urlsafe(12))

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.values, file)


def _user(name: str, kept: _Kept) -> dict[str, str]:
    password = kept.get(f"user:{name}")
    user, created = User.objects.get_or_create(username=name)
    if created or not user.check_password(password):
        user.set_password(password)
        user.save()
    return {"username": name, "password": password}


def _platform(name: str, purposes: tuple[str, ...], kept: _Kept, now: datetime) -> dict[str, Any]:
    client_id = name.lower().replace(" ", "-")
    redirect_uri = f"http://127.0.0.1:8975/{client_id}/callback"
    platform = Platform.objects.filter(client_id=client_id).first()
    if platform is None:
        registration = platforms.register(
            name=name,
            legal_name=f"{name} Ltd",
            client_id=client_id,
            redirect_uris=[redirect_uri],
            purposes=[Purpose(p) for p in purposes],
            attested=True,
            is_sandbox=True,
            actor=_OPERATOR,
            now=now,
        )
        platform = registration.platform
        platforms.change_status(platform, PlatformStatus.ACTIVE, reason="sandbox", actor=_OPERATOR, now=now)
        kept.values[f"platform:{client_id}"] = registration.client_secret
    secret = kept.get(f"platform:{client_id}")
    Platform.objects.filter(id=platform.id).update(client_secret=digest(secret))
    return {
        "name": name,
        "client_id": client_id,
        "client_secret": secret,
        "redirect_uri": redirect_uri,
        "purposes": list(purposes),
    }


def _bank(now: datetime) -> InstitutionCard:
    """The pretend bank at SANDBOX_ISSUER: its key is made once and registered there at every start."""
    issuer = os.environ["SANDBOX_ISSUER"]
    known = institutions.signing_key(BANK_SLUG)
    private, public = institutions.new_signing_key() if known is None else _same_key(known)
    _register_at_the_bank(public)
    institutions.add(
        InstitutionData(
            slug=BANK_SLUG,
            name=BANK_NAME,
            connector="uk_obie",
            version="4.0",
            issuer=issuer,
            authorization_url=f"{issuer}/oauth/authorize",
            token_url=f"{issuer}/oauth/token",
            resource_url=f"{issuer}/open-banking/v4.0/aisp",
            client_id=CLIENT_ID,
            signing_key=private,
            country="GB",
            timezone="Europe/London",
            is_sandbox=True,
        ),
        now=now,
    )
    return directory.institution(BANK_SLUG)


def _same_key(private: str) -> tuple[str, str]:
    key = json.loads(private)
    public = {name: value for name, value in key.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    return private, json.dumps({"keys": [public]})


def _register_at_the_bank(public: str) -> None:
    """As a bank's own staff would: by the bank's command, in its own process and settings."""
    file = settings.DATA_DIRECTORY / "sluice-public-keys.json"
    file.write_text(public)
    command = [
        *(sys.executable, "-m", "banks.sandbox", "register_client"),
        *("--client-id", CLIENT_ID, "--name", "Sluice", "--jwks", str(file)),
        *("--redirect-uri", sessions.redirect_uri(BANK_SLUG)),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, check=True, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)


def _policy(institution: InstitutionCard, admins: list[dict[str, str]], now: datetime) -> None:
    if BankPolicy.objects.filter(institution_id=institution.id, platform=None).exists():
        return
    signers = User.objects.filter(username__in=[admin["username"] for admin in admins])
    policies.sign(
        institution_id=institution.id,
        platform_id=None,
        terms=PolicyTerms(
            scopes=frozenset(Scope),
            purposes=frozenset(Purpose),
            history_days_max=730,
            location_precision=LocationPrecision.STORE,
            requires_fapi2=False,
        ),
        approved_by=[signer.id for signer in signers],
        actor=Actor(initiator=Initiator.BANK),
        now=now,
    )


def _scenarios() -> list[dict[str, str]]:
    """From the bank itself, so that the list cannot go stale."""
    command = [sys.executable, "-m", "banks.sandbox", "scenarios", "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    told = subprocess.run(command, check=True, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True)
    listed: list[dict[str, str]] = json.loads(told.stdout)
    return listed
