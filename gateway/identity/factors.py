"""Second factors at rest: the secret of one-time codes and the seed of recovery codes, sealed to their owner.

Passkeys have nothing to seal: what is kept of them is public.
"""

import base64
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator

from banks import vault
from banks.vault import Unsealable

_FIELD = "second_factor"
#: Members of Authenticator.data that are secret.
_SECRETS = ("secret", "seed")


def sealed(user_id: UUID, plain: str) -> str:
    """`owner.ciphertext`: under the ring of the vault, bound to the person."""
    secret = vault.seal_alone(user_id, _FIELD, plain.encode())
    return f"{user_id}.{base64.b64encode(secret).decode()}"


def opened(kept: str) -> str:
    """Raises Unsealable: altered, another person's, or never sealed."""
    owner, _, secret = kept.partition(".")
    try:
        return vault.open_alone(UUID(owner), _FIELD, base64.b64decode(secret, validate=True)).decode()
    except ValueError as error:
        raise Unsealable(_FIELD) from error


def seal_before_saving(sender: type[Authenticator], instance: Authenticator, **_: Any) -> None:
    """Receiver of pre_save: what allauth has just made is sealed before it reaches the database."""
    for name in _SECRETS:
        plain = instance.data.get(name)
        if plain is not None and not _is_sealed(plain):
            instance.data[name] = sealed(instance.user_id, plain)


def rotate() -> tuple[int, int]:
    """Put every sealed secret under the newest key of the vault's ring: (moved, opened by no key of the ring)."""
    moved = lost = 0
    for row in Authenticator.objects.order_by("id").iterator(chunk_size=200):
        kept = dict(row.data)
        stale = [name for name in _SECRETS if _is_stale(kept.get(name))]
        try:
            fresh = {name: sealed(row.user_id, opened(kept[name])) for name in stale}
        except Unsealable:
            lost += 1
            continue
        if fresh:
            # Where it was set anew meanwhile, the new one stays.
            moved += Authenticator.objects.filter(id=row.id, data=kept).update(data={**kept, **fresh})
    return moved, lost


def _is_stale(kept: str | None) -> bool:
    if kept is None or not _is_sealed(kept):
        return False
    return not vault.is_under_newest(base64.b64decode(kept.partition(".")[2]))


def refuse_anothers(sender: type[Authenticator], instance: Authenticator, **_: Any) -> None:
    """Receiver of post_init: a ciphertext moved into another person's row opens nothing."""
    data = instance.__dict__.get("data")
    for name in _SECRETS:
        kept = data.get(name) if isinstance(data, dict) else None
        if kept is not None and _is_sealed(kept) and not kept.startswith(f"{instance.user_id}."):
            raise Unsealable(_FIELD)


def _is_sealed(text: str) -> bool:
    # Neither base32 nor hexadecimal, in which allauth writes a fresh one, has a full stop.
    return "." in text
