"""`add_bank`: a bank by data."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from banks import institutions
from banks.errors import InstitutionInvalid, UnknownConnector
from banks.institutions import InstitutionData
from banks.sessions import redirect_uri
from consents import clock
from gateway.advice import manage

_LIMITS = (
    ("--concurrent-jobs-max", 3, "syncs of this bank at once"),
    ("--calls-per-minute-max", 600, "calls it takes from us"),
    ("--unattended-fetches-max", 4, "of each resource of one account in 24 hours"),
    ("--attested-fetches-max", 24, "the same while a platform attests presence"),
    ("--refresh-minutes", 360, "between two scheduled syncs of one connection"),
)


class Command(BaseCommand):
    help = (
        "Adds a bank, or updates the one with this slug. It serves nothing until a policy is signed (sign_policy). "
        "For example: manage.py add_bank first-bank --name 'First Bank' --dialect uk_obie --dialect-version 4.0 "
        "--issuer https://auth.bank.example --authorization-url https://auth.bank.example/authorize --token-url "
        "https://auth.bank.example/token --resource-url https://api.bank.example/open-banking/v4.0/aisp --client-id "
        "sluice --new-key first-bank-keys.json --country GB --timezone Europe/London"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="short name for addresses, as in first-bank")
        parser.add_argument("--name", required=True, help="as customers know it")
        parser.add_argument("--dialect", required=True, help="installed connector, as in uk_obie")
        parser.add_argument("--dialect-version", required=True, help="as in 4.0")
        parser.add_argument("--issuer", required=True, help="the bank's issuer identifier, exactly as it writes it")
        parser.add_argument("--authorization-url", required=True, help="where its customers' browsers go")
        parser.add_argument("--token-url", required=True, help="where this server gets tokens")
        parser.add_argument(
            "--resource-url", required=True, help="as in https://api.bank.example/open-banking/v4.0/aisp"
        )
        parser.add_argument("--client-id", required=True, help="what the bank calls us")
        key = parser.add_mutually_exclusive_group(required=True)
        key.add_argument("--signing-key", type=Path, metavar="FILE", help="private JWK (EC P-256 or RSA)")
        key.add_argument("--new-key", type=Path, metavar="FILE", help="make a key; write its public JWK Set to FILE")
        parser.add_argument("--country", required=True, help="ISO 3166-1 alpha-2, as in GB")
        parser.add_argument("--timezone", required=True, help="the bank's calendar, as in Europe/London")
        parser.add_argument("--history-days-max", type=int, default=730, help="days of history it gives; 730")
        parser.add_argument("--consent-days-max", type=int, default=365, help="days its consents last; 365")
        parser.add_argument(
            "--authentication-days-max", type=int, help="days until its customers log in again; default: never"
        )
        parser.add_argument("--queue", default="", help="Celery queue of its jobs; default: the common one")
        for option, default, meaning in _LIMITS:
            parser.add_argument(option, type=int, default=default, help=f"{meaning}; {default}")
        parser.add_argument("--sandbox", action="store_true", help="a pretend bank: http on loopback is allowed")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path | None = options["new_key"]
        try:
            if file is None:
                institution = institutions.add(_data(options, _key_in(options["signing_key"])), now=clock.now())
            else:
                signing_key, public = institutions.new_signing_key()
                with _kept_if_all_goes_well(file, public):
                    institution = institutions.add(_data(options, signing_key), now=clock.now())
                self.stdout.write(f"Public keys to register at the bank: {file}")
        except (InstitutionInvalid, UnknownConnector) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"Bank {institution.slug} stored.")
        # An embedded instance has an issuer of its own: the bank would send its customers to another server.
        self.stdout.write(
            f"Redirect URI to register at the bank: {redirect_uri(institution.slug)} "
            f"(SLUICE_ISSUER is {settings.ISSUER})"
        )
        self.stdout.write(f"Next: {manage(f'sign_policy {institution.slug} --help')}")


def _data(options: dict[str, Any], signing_key: str) -> InstitutionData:
    return InstitutionData(
        slug=options["slug"],
        name=options["name"],
        connector=options["dialect"],
        version=options["dialect_version"],
        issuer=options["issuer"],
        authorization_url=options["authorization_url"],
        token_url=options["token_url"],
        resource_url=options["resource_url"],
        client_id=options["client_id"],
        signing_key=signing_key,
        country=options["country"],
        timezone=options["timezone"],
        is_sandbox=options["sandbox"],
        history_days_max=options["history_days_max"],
        consent_days_max=options["consent_days_max"],
        authentication_days_max=options["authentication_days_max"],
        queue=options["queue"],
        concurrent_jobs_max=options["concurrent_jobs_max"],
        calls_per_minute_max=options["calls_per_minute_max"],
        unattended_fetches_max=options["unattended_fetches_max"],
        attested_fetches_max=options["attested_fetches_max"],
        refresh_minutes=options["refresh_minutes"],
    )


def _key_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not a JWK") from error


@contextmanager
def _kept_if_all_goes_well(file: Path, text: str) -> Iterator[None]:
    """`file` is there before the bank is stored: a bank whose public key is nowhere can never be talked to.

    It is never written over, since it may be the public half of a key in use; and it goes again when the bank is
    refused, so that the corrected command can be run as it is.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise
