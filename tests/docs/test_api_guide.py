"""docs/api.md: its commands, run one after the other in one shell against a running instance."""

from pathlib import Path
from typing import Any

import pytest

from examples.tour.person import Person, Visit
from examples.tour.platform import Platform
from tests.docs.markdown import ROOT, SHELL, read
from tests.docs.test_quickstart import Bash, bash, repeated

pytestmark = pytest.mark.sqlite_only

__all__ = ["bash"]

PAGE = read(ROOT / "docs" / "api.md")


@pytest.fixture
def tokens(instance: dict[str, Any]) -> dict[str, Any]:
    """Of the platform whose variables the shell has: everything that is known of accounts, balances and payments."""
    registered = instance["platforms"][0]
    platform = Platform(
        issuer=instance["issuer"],
        client_id=registered["client_id"],
        client_secret=registered["client_secret"],
        redirect_uri=registered["redirect_uri"],
    )
    person = Person(instance, instance["users"][1])
    return person.connect(platform, [Visit(instance["banks"][0], "happy2")], ["accounts", "balances", "merchants"])


def test_every_command_of_the_guide_works_in_its_order(
    instance: dict[str, Any], tokens: dict[str, Any], bash: Bash
) -> None:
    said: dict[int, str] = {}
    bash.run(". var/platform.env")
    bash.run('curl() { command curl --fail-with-body "$@"; }')
    bash.run(f"TOKEN={tokens['access_token']} REFRESH_TOKEN={tokens['refresh_token']}")
    bash.run(
        'ACCOUNT=$(curl -s -H "Authorization: Bearer $TOKEN" "$SLUICE/v1/accounts" | '
        'python3 -c \'import json, sys; print(json.load(sys.stdin)["accounts"][0]["account_id"])\')'
    )
    changes = 'curl -s -H "Authorization: Bearer $TOKEN" "$SLUICE/v1/transactions/sync?limit=1"'
    repeated(lambda: bash.run(changes), lambda text: '"CURRENT"' in text)

    for block in PAGE.blocks:
        if block.language in SHELL:
            said[block.line] = bash.run(block.text)

    answers = "\n".join(said.values())
    for expected in (
        '"token_endpoint"',
        "304",
        '"access_token"',
        '"active"',
        '"balances"',
        '"next_cursor"',
        '"refresh_id"',
        '"events"',
    ):
        assert expected in answers
    assert "BOOKED" in answers
    assert Path(instance["directory"]).is_dir()
