"""People with a second factor, and browsers that have proved it.

browser = factors.proved(cast.person("clerk"))      signed in, with password and one-time code
factors.age(browser, timedelta(minutes=16))         the same, as if that had been a while ago
"""

import secrets
import time
from datetime import timedelta

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from banks.models import Institution
from gateway.identity.models import Membership, MembershipRole, User

BACKEND = "django.contrib.auth.backends.ModelBackend"


def set_up_codes(user: User) -> str:
    """One-time codes for `user`; the secret that their app would hold (base32)."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def add_recovery_codes(user: User) -> None:
    RecoveryCodes.activate(user)


def add_passkey(user: User, name: str) -> int:
    """As if a device had made one; the id of its row. No private key is left: it opens nothing."""
    key = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    made = AuthenticatorData.create(
        b"\0" * 32,
        AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT,
        0,
        AttestedCredentialData.create(b"\0" * 16, secrets.token_bytes(16), key),
    )
    told = {
        "clientDataJSON": websafe_encode(CollectedClientData.create("webauthn.create", b"", "https://sluice.example")),
        "attestationObject": websafe_encode(AttestationObject.create("none", made, {})),
    }
    identity = websafe_encode(made.credential_data.credential_id)  # type: ignore[union-attr]
    credential = {"id": identity, "rawId": identity, "type": "public-key", "response": told}
    data = {"name": name, "credential": credential}
    return int(Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data).pk)


def code_of(secret: str, *, periods_ago: int = 0) -> str:
    """What the app shows now, or showed so many half minutes ago (RFC 6238)."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - periods_ago))


def browser_of(user: User) -> Client:
    """Signed in by password, as far as the session knows: no second factor was seen."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    _records(client, user, [{"method": "password", "at": time.time(), "username": user.username}])
    return client


def proved(user: User) -> Client:
    """Signed in by password and one-time code, which are set up unless they are."""
    if not Authenticator.objects.filter(user=user).exists():
        set_up_codes(user)
    client = browser_of(user)
    prove(client, user)
    return client


def prove(client: Client, user: User) -> None:
    """As if this browser had just typed a code."""
    factor = Authenticator.objects.filter(user=user).latest("created_at")
    record = {"method": "mfa", "at": time.time(), "id": factor.pk, "type": factor.type, "reauthenticated": True}
    _records(client, user, [*client.session.get(AUTHENTICATION_METHODS_SESSION_KEY, []), record])


def age(client: Client, by: timedelta) -> None:
    """Every proof of this browser was given that much earlier."""
    session = client.session
    kept = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {**record, "at": record["at"] - by.total_seconds()} for record in kept
    ]
    session.save()


def clerk(bank: Institution, username: str = "clerk") -> User:
    """Works at `bank`; has no second factor yet."""
    from tests.support import cast

    user = cast.person(username)
    Membership.objects.create(user=user, role=MembershipRole.BANK_ADMIN, institution=bank)
    return user


def operator(username: str = "operator") -> User:
    from tests.support import cast

    user = cast.person(username)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _records(client: Client, user: User, records: list[dict[str, object]]) -> None:
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
