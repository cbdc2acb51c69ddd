"""The pretend banks as the seed makes them known: an institution, a client at the bank, staff and a policy each."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from banks import directory, institutions, sessions
from banks.institutions import InstitutionData
from consents import policies
from consents.audit import Actor
from consents.models import BankPolicy
from consents.policies import PolicyTerms
from consents.scopes import LocationPrecision, Purpose, Scope
from consents.states import Initiator
from gateway.embedded.banks import PretendBank
from gateway.identity.models import Membership, MembershipRole, User

CLIENT_ID = "sluice"
#: Before today, which the pretend banks show too: promising more would open a finding on every account.
HISTORY_DAYS = 399
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBank:
    """What Sluice's operator would be told by a bank before adding it. `admins`: user names of its staff here; two,
    because what widens needs two.
    """

    slug: str
    name: str
    version: str
    resource_path: str
    admins: tuple[str, ...]


#: By PretendBank.kind.
KNOWN = {
    "first": KnownBank(
        slug="first-sandbox-bank",
        name="First Sandbox Bank",
        version="4.0",
        resource_path="/open-banking/v4.0/aisp",
        admins=("first-bank-admin", "first-bank-second"),
    ),
    "card": KnownBank(
        slug="harbour-card",
        name="Harbour Card",
        version="3.1.11",
        resource_path="/open-banking/v3.1/aisp",
        admins=("harbour-card-admin", "harbour-card-second"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A bank at which Sluice is a client. `signing_key`: private JWK; `customers`: as the bank lists its scenarios."""

    bank: PretendBank
    known: KnownBank
    signing_key: str
    customers: list[dict[str, str]]


def register_at(banks: Iterable[PretendBank]) -> list[Registered]:
    """Make Sluice a client of each bank, at every start again; all at once, because each is a process to wait for."""
    keys = [(bank, KNOWN[bank.kind], *_keys(KNOWN[bank.kind].slug)) for bank in banks]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda key: _register(*key), keys))


def add(registered: Registered, now: datetime) -> None:
    """The institution, its staff's memberships and its policy. The staff's users exist before."""
    known = registered.known
    issuer = registered.bank.issuer
    institutions.add(
        InstitutionData(
            slug=known.slug,
            name=known.name,
            connector="uk_obie",
            version=known.version,
            issuer=issuer,
            authorization_url=f"{issuer}/oauth/authorize",
            token_url=f"{issuer}/oauth/token",
            resource_url=issuer + known.resource_path,
            client_id=CLIENT_ID,
            signing_key=registered.signing_key,
            country="GB",
            timezone="Europe/London",
            is_sandbox=True,
            history_days_max=HISTORY_DAYS,
        ),
        now=now,
    )
    institution_id = directory.institution(known.slug).id
    staff = User.objects.filter(username__in=known.admins)
    for user in staff:
        Membership.objects.get_or_create(user=user, role=MembershipRole.BANK_ADMIN, institution_id=institution_id)
    _policy(institution_id, [user.id for user in staff], now)


def described(registered: Registered) -> dict[str, Any]:
    """The bank for the report. `control`: where its calendar and its faults can be moved, and the token for that."""
    bank, known = registered.bank, registered.known
    return {
        "slug": known.slug,
        "name": known.name,
        "version": known.version,
        "issuer": bank.issuer,
        "users": registered.customers,
        "control": {"url": f"{bank.issuer}/control", "token": bank.control_token},
    }


def _keys(slug: str) -> tuple[str, str]:
    """The private signing key towards a bank, made once, and its public half as a JWK Set."""
    known = institutions.signing_key(slug)
    if known is None:
        return institutions.new_signing_key()
    public = {name: value for name, value in json.loads(known).items() if name not in _PRIVATE_MEMBERS}
    return known, json.dumps({"keys": [public]})


def _register(bank: PretendBank, known: KnownBank, private: str, public: str) -> Registered:
    """As a bank's own staff would: by the bank's commands, in its own process and settings."""
    file = settings.DATA_DIRECTORY / f"{known.slug}-client-keys.json"
    file.write_text(public)
    # With the customers from the bank itself, so that the list cannot go stale.
    answer = _at(
        bank,
        *("register_client", "--json", "--client-id", CLIENT_ID, "--name", "Sluice", "--jwks", str(file)),
        *("--redirect-uri", sessions.redirect_uri(known.slug)),
    )
    return Registered(bank=bank, known=known, signing_key=private, customers=json.loads(answer)["customers"])


def _at(bank: PretendBank, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "banks.sandbox", *arguments]
    return subprocess.run(
        command,
        check=True,
        env={**environment, **bank.environment()},
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _policy(institution_id: UUID, signers: list[UUID], now: datetime) -> None:
    if BankPolicy.objects.filter(institution_id=institution_id, platform=None).exists():
        return
    policies.sign(
        institution_id=institution_id,
        platform_id=None,
        terms=PolicyTerms(
            scopes=frozenset(Scope),
            purposes=frozenset(Purpose),
            history_days_max=730,
            location_precision=LocationPrecision.STORE,
            accepts_attestation=True,
            requires_fapi2=False,
        ),
        approved_by=signers,
        actor=Actor(initiator=Initiator.BANK),
        now=now,
    )
