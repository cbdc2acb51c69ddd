"""The pretend bank as Sluice knows it."""

from banks import institutions
from banks.institutions import InstitutionData
from consents import clock
from tests.support import cast
from tests.support.sandbox_bank import SandboxBank

SLUG = "first-sandbox-bank"


def add_bank(bank: SandboxBank) -> None:
    """A row that leads to `bank`, and a policy that accepts everything."""
    row = institutions.add(
        InstitutionData(
            slug=SLUG,
            name="First Sandbox Bank",
            connector="uk_obie",
            version="4.0",
            issuer=bank.issuer,
            authorization_url=f"{bank.issuer}/oauth/authorize",
            token_url=f"{bank.issuer}/oauth/token",
            resource_url=bank.aisp,
            client_id=bank.client_id,
            signing_key=bank.client_key.export_private(),
            country="GB",
            timezone="Europe/London",
            is_sandbox=True,
        ),
        now=clock.now(),
    )
    cast.permissive_policy(row)
