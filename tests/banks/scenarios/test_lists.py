"""What Sluice makes of lists whose pages move, lead astray or end early, and of histories shorter than promised."""

from collections import Counter
from datetime import timedelta

import pytest

from banks.sandbox.people import SCENARIOS
from tests.banks.scenarios.conftest import Play
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import kept, progress
from tests.support import linked

pytestmark = pytest.mark.django_db

#: More than a page of 100 rows: about 35 are written a month.
TWO_PAGES = 110


@pytest.mark.parametrize("customer", ["gone_page", "stale_page"])
@outcome_of("gone_page", "stale_page")
def test_a_page_that_is_gone_is_no_end_of_the_list(play: Play, customer: str) -> None:
    scene = play(customer, history_days=TWO_PAGES)

    job = scene.sync()

    assert (job.status, job.error_code) == ("COMMITTED", "")
    assert kept(scene.account) == scene.books(SCENARIOS[customer].accounts[0])
    assert (scene.findings(), job.counts["removed"]) == ([], 0)
    scene.nobody_was_asked()


@outcome_of("mutating")
def test_a_list_that_grows_while_it_is_read_is_told_to_be_unstable_and_loses_nothing(play: Play) -> None:
    scene = play("mutating", history_days=TWO_PAGES)

    job = scene.sync()

    assert (job.status, job.error_code) == ("COMMITTED", "list_unstable")
    assert scene.findings() == [("LIST_UNSTABLE", "changed_while_paged")]
    there = scene.books(SCENARIOS["mutating"].accounts[0])
    first = kept(scene.account)
    assert there.items() <= first.items()
    assert job.counts["removed"] == 0
    assert scene.account.coverage_last_on is None  # what was not seen for certain is not said to be complete

    for _ in range(2):
        scene.sync()
        assert first.items() <= kept(scene.account).items()
    assert [one for one in scene.ids() if one[2] == "REMOVED"] == []
    # Each payment of these comes with its reversal, so what was seen of them sums to nothing or to one payment.
    late = Counter(minor for one, minor in kept(scene.account).items() if one not in there)
    assert set(late) <= {-500, 500}
    scene.nobody_was_asked()


@pytest.mark.parametrize("customer", ["hostile_next", "circular_next"])
@outcome_of("hostile_next", "circular_next")
def test_a_link_that_leads_astray_is_not_followed_and_nothing_of_the_list_is_taken(play: Play, customer: str) -> None:
    scene = play(customer)

    job = scene.sync()

    assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "paging_broken", scene.account.id)
    assert (kept(scene.account), scene.account.transactions_as_of) == ({}, None)
    assert scene.account.balances_as_of is not None
    assert scene.standing() == ("ACTIVE", "")
    assert len(scene.seen().of("/transactions")) <= 2
    assert scene.sync().error_code == "paging_broken"
    assert (kept(scene.account), linked.raw_rows(), scene.quarantine()) == ({}, 0, [])
    scene.nobody_was_asked()


#: A line that is cut in the middle of an answer ends it, or resets it: the network decides.
CUT = ("bank_format_changed", "institution_down")


@pytest.mark.parametrize(("customer", "codes"), [("truncated", CUT), ("malformed", CUT[:1])])
@outcome_of("truncated", "malformed")
def test_of_an_answer_that_cannot_be_read_nothing_is_stored(play: Play, customer: str, codes: tuple[str, ...]) -> None:
    scene = play(customer)

    job = scene.sync()

    assert job.status == "RETRY_WAIT" and job.error_code in codes
    assert (kept(scene.account), linked.raw_rows(), scene.quarantine()) == ({}, 0, [])
    assert (scene.account.balances_as_of, scene.account.transactions_as_of) == (None, None)
    job = scene.bring_to_an_end(job)
    assert job.status == "FAILED" and job.error_code in codes
    assert (kept(scene.account), linked.raw_rows()) == ({}, 0)
    scene.nobody_was_asked()


# -- history -----------------------------------------------------------------------------------------------------------


@outcome_of("short_history")
def test_a_bank_that_says_it_reaches_30_days_back_is_believed_and_not_asked_for_more(play: Play) -> None:
    scene = play("short_history", history_days=90)

    job = scene.sync()

    first_on = scene.account.coverage_first_on
    assert job.status == "COMMITTED" and first_on is not None
    assert scene.today() - first_on in (timedelta(days=29), timedelta(days=30))
    assert scene.account.bank_first_on == first_on
    assert scene.findings() == [("HISTORY_SHORT", "less_than_promised")]
    assert kept(scene.account) == scene.books(SCENARIOS["short_history"].accounts[0])
    told = progress(scene.consent)[scene.account.id]
    assert (told.coverage.first_on, told.update_status.value) == (first_on, "CURRENT")
    mark = scene.world.mark()
    scene.sync()
    assert len(scene.seen(mark).of("/transactions")) == 1
    assert scene.findings() == [("HISTORY_SHORT", "less_than_promised")]


@outcome_of("short_history_silent")
def test_a_bank_that_reaches_30_days_back_and_does_not_say_so_is_not_asked_again_and_again(play: Play) -> None:
    scene = play("short_history_silent", history_days=90)

    assert scene.sync().status == "COMMITTED"

    there = scene.books(SCENARIOS["short_history_silent"].accounts[0])
    assert kept(scene.account) == there and there
    assert scene.account.bank_first_on is None
    mark, before = scene.world.mark(), scene.ids()
    scene.sync()
    assert len(scene.seen(mark).of("/transactions")) == 1
    assert scene.ids() == before
