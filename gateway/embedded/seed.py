"""What an embedded instance starts with. Passwords and client secrets are random, and kept in the secrets folder only
so that a second start can print them again."""

import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from consents import platforms
from consents.audit import Actor
from consents.models import Platform
from consents.models.tokens import digest
from consents.scopes import Purpose
from consents.states import Initiator, PlatformStatus
from gateway.embedded import banks, seed_banks
from gateway.identity.models import User

_OPERATOR = Actor(initiator=Initiator.OPERATOR)
_HOLDERS = ("alice", "bob")
_PLATFORMS: dict[str, tuple[str, ...]] = {
    "Messenger": tuple(Purpose),
    "Budget Bot": (Purpose.BUDGETING, Purpose.SPENDING_INSIGHTS),
}


def seed(*, now: datetime) -> dict[str, Any]:
    """Make what is missing; describe all of it: platforms, users, bank_admins, banks."""
    kept = _Kept.load()
    clients = seed_banks.register_at(banks.heard())
    with transaction.atomic():
        users = [_user(name, kept) for name in _HOLDERS]
        admins = [
            {**_user(name, kept), "bank": client.known.slug} for client in clients for name in client.known.admins
        ]
        for client in clients:
            seed_banks.add(client, now)
        registered = [_platform(name, purposes, kept, now) for name, purposes in _PLATFORMS.items()]
        kept.save()
    return {
        "platforms": registered,
        "users": users,
        "bank_admins": admins,
        "banks": [seed_banks.described(client) for client in clients],
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
    # Mail of an embedded instance goes into files: /dev/mail shows it.
    user, created = User.objects.get_or_create(username=name, defaults={"email": f"{name}@sluice.example"})
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
