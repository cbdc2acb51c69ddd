"""The toolkit's commands that would go past ours are refused, and say which to take."""

import pytest
from django.core.management import CommandError, call_command, get_commands

from consents.models import Platform
from tests.support import cast


def test_a_client_is_not_made_past_the_attestation(db: None) -> None:
    with pytest.raises(CommandError, match="register_platform"):
        call_command("createapplication", "confidential", "authorization-code", "--name", "Chat")

    assert get_commands()["createapplication"] == "gateway.oauth"
    assert not Platform.objects.exists()


def test_platforms_are_not_cleared_away(db: None) -> None:
    cast.chat()

    with pytest.raises(CommandError, match="cleartokens"):
        call_command("clearcimdapplications")

    assert get_commands()["clearcimdapplications"] == "gateway.oauth"
    assert Platform.objects.count() == 1
