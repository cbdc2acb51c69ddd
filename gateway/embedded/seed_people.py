"""The people of an embedded instance. At each start they have again what is printed: password and one-time codes."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.hashers import check_password, make_password

from banks.vault import Unsealable
from gateway.embedded.kept import Kept
from gateway.identity import factors
from gateway.identity.models import User


def password(name: str, kept: Kept) -> str:
    return kept.get(f"user:{name}")


def stored_as(passwords: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """By user name, what each password is to be stored as: as it is where it fits. Asks no database.

    A hash takes long on purpose, and leaves Python's lock to others meanwhile: they are made beside each other.
    """
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(lambda name: _stored(passwords[name], stored.get(name)), passwords)
        return dict(zip(passwords, hashes, strict=True))


def _stored(password: str, stored: str | None) -> str:
    return stored if stored and check_password(password, stored) else make_password(password)


def make(hashes: Mapping[str, str]) -> None:
    """Everybody, each with the password that `stored_as` prepared."""
    for name, hashed in hashes.items():
        User.objects.update_or_create(username=name, defaults={"password": hashed})


def holder(name: str, kept: Kept) -> dict[str, str]:
    """Somebody with accounts at banks, and an address for notices."""
    user = User.objects.get(username=name)
    if not user.email:
        User.objects.filter(id=user.id).update(email=f"{name}@example.test")
    return {"username": name, "password": password(name, kept)}


def bank_admin(name: str, bank: str, kept: Kept) -> dict[str, str]:
    """Somebody who works at `bank` (a slug); seed_banks makes the membership."""
    user = User.objects.get(username=name)
    return {"username": name, "password": password(name, kept), "totp_secret": _codes(user, kept), "bank": bank}


def operator(name: str, kept: Kept) -> dict[str, str]:
    """Whoever runs Sluice."""
    user = User.objects.get(username=name)
    User.objects.filter(id=user.id).update(is_staff=True, is_superuser=True)
    return {"username": name, "password": password(name, kept), "totp_secret": _codes(user, kept)}


def _codes(user: User, kept: Kept) -> str:
    secret = kept.totp_secret(f"totp:{user.username}")
    if not _has_codes_of(user, secret):
        Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
        TOTP.activate(user, secret)
    return secret


def _has_codes_of(user: User, secret: str) -> bool:
    try:
        kept = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
        return kept is not None and factors.opened(kept.data["secret"]) == secret
    except Unsealable:  # the keys of this instance were made anew
        return False
