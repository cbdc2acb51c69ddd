"""The people of an embedded instance. At each start they have again what is printed: password and one-time codes."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP

from banks.vault import Unsealable
from gateway.embedded.kept import Kept
from gateway.identity import factors
from gateway.identity.models import User


def holder(name: str, kept: Kept) -> dict[str, str]:
    """Somebody with accounts at banks, and an address for notices."""
    user, password = _user(name, kept)
    if not user.email:
        User.objects.filter(id=user.id).update(email=f"{name}@example.test")
    return {"username": name, "password": password}


def bank_admin(name: str, bank: str, kept: Kept) -> dict[str, str]:
    """Somebody who works at `bank` (a slug); seed_banks makes the membership."""
    user, password = _user(name, kept)
    return {"username": name, "password": password, "totp_secret": _codes(user, kept), "bank": bank}


def operator(name: str, kept: Kept) -> dict[str, str]:
    """Whoever runs Sluice."""
    user, password = _user(name, kept)
    User.objects.filter(id=user.id).update(is_staff=True, is_superuser=True)
    return {"username": name, "password": password, "totp_secret": _codes(user, kept)}


def _user(name: str, kept: Kept) -> tuple[User, str]:
    password = kept.get(f"user:{name}")
    user, created = User.objects.get_or_create(username=name)
    if created or not user.check_password(password):
        user.set_password(password)
        user.save()
    return user, password


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
