"""`register_client --client-id sluice --name "Sluice" --jwks FILE --redirect-uri URI`: make a third party known."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError
from jwcrypto import jwk
from jwcrypto.common import JWException

from banks.sandbox.catalogue import as_list
from banks.sandbox.customers import SCENARIOS
from banks.sandbox.models import Client

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PRIVATE_MEMBERS = {"d", "k", "p", "q", "dp", "dq", "qi", "oth"}


class Command(BaseCommand):
    help = (
        "Registers a client, or updates it: public keys, display name and redirect URIs. May be repeated. For example: "
        "python -m banks.sandbox register_client --client-id sluice --name Sluice --jwks keys.json --redirect-uri "
        "http://127.0.0.1:8000/banks/first-sandbox-bank/callback"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client-id", required=True, help="what the bank calls it")
        parser.add_argument("--name", required=True, help="what customers read at the consent page")
        parser.add_argument("--jwks", required=True, type=Path, metavar="FILE", help="JWK Set with public keys")
        parser.add_argument("--redirect-uri", required=True, action="append", metavar="URI", help="may be repeated")
        parser.add_argument("--json", action="store_true", help="one line for programs: client_id, customers to try")

    def handle(self, *args: Any, **options: Any) -> None:
        client, created = Client.objects.update_or_create(
            pk=options["client_id"],
            defaults={
                "name": options["name"],
                "jwks": public_keys(options["jwks"]),
                "redirect_uris": [redirect_uri(uri) for uri in options["redirect_uri"]],
            },
        )
        if options["json"]:
            customers = as_list(SCENARIOS.values())
            self.stdout.write(json.dumps({"client_id": client.client_id, "customers": customers}))
            return
        self.stdout.write(f"{'Registered' if created else 'Updated'} {client.client_id}.")


def public_keys(file: Path) -> dict[str, Any]:
    """The JWK Set in `file`: ES256 (P-256) and PS256 (RSA from 2 048 bits) keys only. Raises CommandError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{file}: {error}") from error
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise CommandError(f'{file} is not a JWK Set: {{"keys": [...]}}.')
    for key in keys:
        _check(key, file)
    return {"keys": keys}


def _check(key: dict[str, Any], file: Path) -> None:
    if private := _PRIVATE_MEMBERS & key.keys():
        raise CommandError(f"{file} holds a private key (member {min(private)}); hand over public keys only.")
    try:
        parsed = jwk.JWK(**key)
        fits = key["kty"] == "EC" and key.get("crv") == "P-256"
        fits = fits or (key["kty"] == "RSA" and parsed.get_op_key("verify").key_size >= 2048)
    except (JWException, ValueError, TypeError, KeyError) as error:
        raise CommandError(f"{file}: not a JWK: {error}") from error
    if not fits:
        raise CommandError(f"{file}: keys are EC P-256, or RSA of at least 2048 bits.")


def redirect_uri(uri: str) -> str:
    """https anywhere, http on loopback only; absolute, no fragment (RFC 6749 section 3.1.2). Raises CommandError."""
    parts = urlsplit(uri)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or "#" in uri or len(uri) > 2000:
        raise CommandError(f"{uri}: a redirect URI is https, or http on loopback, without a fragment.")
    return uri
