"""docs/api.md: its commands, run one after the other in one shell against a running instance."""

from pathlib import Path
from typing import Any

import pytest

from examples.tour.person import Visit
from tests.docs.markdown import ROOT, SHELL, read
from tests.docs.test_quickstart import WAIT_SECONDS, Bash, Human, bash, link_in, repeated, when_told

pytestmark = pytest.mark.sqlite_only

__all__ = ["bash"]

PAGE = read(ROOT / "docs" / "api.md")


def test_every_command_of_the_guide_works_in_its_order(instance: dict[str, Any], bash: Bash) -> None:
    asks, begins, *others = [block for block in PAGE.blocks if block.language in SHELL]
    human = Human(instance, instance["users"][1])
    human.visit = Visit(instance["banks"][0], "happy2")
    said: dict[int, str] = {}
    bash.run(". var/platform.env")
    bash.run('curl() { command curl --fail-with-body "$@"; }')

    thread = when_told(lambda: link_in(bash.said.read_text()), human)
    bash.run(asks.text)
    thread.join(WAIT_SECONDS)
    bash.run(begins.text)
    changes = 'curl -s -H "Authorization: Bearer $TOKEN" "$SLUICE/v1/transactions/sync?limit=1"'
    repeated(lambda: bash.run(changes), lambda text: '"CURRENT"' in text)
    for block in others:
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
