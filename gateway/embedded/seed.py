"""What an embedded instance starts with. Passwords and client secrets are random, and kept in the secrets folder only
so that a second start can print them again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from django.db import transaction

from consents import platforms
from consents.audit import Actor
from consents.models import Platform
from consents.models.tokens import digest
from consents.scopes import Purpose
from consents.states import Initiator, PlatformStatus
from gateway.embedded import banks, example, seed_banks, seed_people
from gateway.embedded.kept import Kept
from gateway.identity.models import User

_OPERATOR = Actor(initiator=Initiator.OPERATOR)
_HOLDERS = ("alice", "bob")
#: Two: giving back what one of them stopped needs another.
_OPERATORS = ("operator", "second-operator")
_PLATFORMS: dict[str, tuple[str, ...]] = {
    "Messenger": tuple(Purpose),
    "Budget Bot": (Purpose.BUDGETING, Purpose.SPENDING_INSIGHTS),
}


def seed(*, now: datetime) -> dict[str, Any]:
    """Make what is missing; describe all of it: platforms, users, bank_admins, operators, banks."""
    kept = Kept.load()
    known = banks.heard()
    names = [*_HOLDERS, *_OPERATORS, *(name for bank in known for name in seed_banks.KNOWN[bank.kind].admins)]
    passwords = {name: seed_people.password(name, kept) for name in names}
    stored = dict(User.objects.filter(username__in=names).values_list("username", "password"))
    with ThreadPoolExecutor(1) as beside:
        hashing = beside.submit(seed_people.stored_as, passwords, stored)
        clients = seed_banks.register_at(known)
    with transaction.atomic():
        seed_people.make(hashing.result())
        users = [seed_people.holder(name, kept) for name in _HOLDERS]
        admins = [
            seed_people.bank_admin(name, client.known.slug, kept) for client in clients for name in client.known.admins
        ]
        operators = [seed_people.operator(name, kept) for name in _OPERATORS]
        for client in clients:
            seed_banks.add(client, now)
        registered = [_platform(name, purposes, kept, now) for name, purposes in _PLATFORMS.items()]
        if (address := example.heard()) is not None:
            registered.append(_example(address, kept, now))
        kept.save()
    return {
        "platforms": registered,
        "users": users,
        "bank_admins": admins,
        "operators": operators,
        "banks": [seed_banks.described(client) for client in clients],
    }


def _example(address: str, kept: Kept, now: datetime) -> dict[str, Any]:
    """The sample platform; its port may be another one at each start."""
    redirect_uri = example.redirect_uri(address)
    described = _platform(example.NAME, (Purpose.BUDGETING,), kept, now, redirect_uri=redirect_uri)
    Platform.objects.filter(client_id=example.CLIENT_ID).update(redirect_uris=redirect_uri)
    return described


def _platform(
    name: str, purposes: tuple[str, ...], kept: Kept, now: datetime, *, redirect_uri: str = ""
) -> dict[str, Any]:
    client_id = name.lower().replace(" ", "-")
    redirect_uri = redirect_uri or f"http://127.0.0.1:8975/{client_id}/callback"
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
