"""The console's own list of pages."""

import pytest

from tests.gateway.backoffice.conftest import Clerk

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("place", ["", "policy/", "proposals/", "customers/", "audit/"])
def test_the_page_one_is_on_is_marked_and_no_other(anne: Clerk, place: str) -> None:
    marked = [link.attributes["href"] for link in anne.page(place).links if "aria-current" in link.attributes]

    assert marked == [anne.path(), anne.path(place)]  # among all of Sluice's, then among the console's own
