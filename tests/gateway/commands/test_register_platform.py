"""`register_platform`: what it refuses, it refuses with what to type."""

import pytest
from django.core.management import CommandError, call_command

from consents.models import Platform

pytestmark = pytest.mark.django_db

BOT = ("register_platform", "Budget Bot", "--redirect-uri", "https://bot.example/callback", "--purposes", "budgeting")


def test_a_company_that_attested_nothing_is_refused_with_the_option_that_says_so() -> None:
    with pytest.raises(CommandError, match=r"no onward sharing: say so first[.] Type: --attested$"):
        call_command(*BOT)

    assert not Platform.objects.exists()


def test_what_is_wrong_with_one_that_attested_is_told_without_that_option() -> None:
    with pytest.raises(CommandError, match="redirect_uri") as refused:
        call_command(*[word.replace("https://bot", "http://bot") for word in BOT], "--attested")

    assert "--attested" not in str(refused.value)
