"""The page for a copy of one's data, and fetching it."""

import io
import time
import zipfile
from typing import Any

import pytest
from django.test import Client

from consents import clock
from consents.models import AuditEntry
from gateway.identity.models import User
from gateway.portal.download import jobs
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.gateway.portal.conftest import signed_in
from tests.gateway.portal.html import Page
from tests.support import cast

PAGE = "/download/"


def prove(browser: Client, *, seconds_ago: float = 1) -> None:
    """As if this browser had given the password then."""
    session = browser.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - seconds_ago}]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()


@pytest.fixture
def proven(browser: Client) -> Client:
    prove(browser)
    return browser


@pytest.fixture
def made(alice: User) -> ExportJob:
    job = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
    make_export(str(job.id))
    job.refresh_from_db()
    return job


def file_of(job: ExportJob) -> str:
    return f"/download/{job.id}/sluice-data.zip"


def test_it_says_what_is_in_it_before_one_asks(browser: Client) -> None:
    page = Page(browser.get(PAGE))

    assert page.says("Every read of your data by an app, of the last 13 months")
    assert page.says("Your password and the keys to your bank links are not in it.")
    assert page.form(PAGE).button.words == "Make my copy"


@pytest.mark.parametrize("seconds_ago", [None, 301])
def test_asking_needs_a_fresh_proof(browser: Client, seconds_ago: float | None) -> None:
    if seconds_ago is not None:
        prove(browser, seconds_ago=seconds_ago)

    answer = browser.post(PAGE)

    assert answer.status_code == 303
    assert answer["Location"] == "/security/confirm/?next=%2Fdownload%2F"
    assert not ExportJob.objects.exists()


def test_after_a_proof_it_is_made_and_the_page_tells_how_far_it_is(proven: Client, alice: User) -> None:
    answer = proven.post(PAGE)
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    proven.post(PAGE)
    job = ExportJob.objects.get(user=alice)

    assert Page(proven.get(PAGE)).says("It starts in a moment.")
    held = jobs.claim(job.id, now=clock.now())
    assert held is not None
    jobs.go_on(held, "reads", now=clock.now())
    page = Page(proven.get(PAGE))

    assert page.says("We are at: Every read of your data by an app.")
    assert "Look again" in [link.words for link in page.links]
    assert PAGE not in [form.action for form in page.forms], "no second one while one is made"
    answer = proven.get(PAGE)
    assert "Refresh" not in answer.headers
    assert 'http-equiv="refresh"' not in answer.content.decode(), "a page that reloads itself traps a screen reader"


def test_its_owner_fetches_it_after_a_fresh_proof(proven: Client, made: ExportJob) -> None:
    assert f"/download/{made.id}/sluice-data.zip" in [link.attributes["href"] for link in Page(proven.get(PAGE)).links]

    answer: Any = proven.get(file_of(made))

    whole = b"".join(answer.streaming_content)
    assert zipfile.ZipFile(io.BytesIO(whole)).testzip() is None
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="sluice-data.zip"'
    assert int(answer["Content-Length"]) == len(whole)
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert AuditEntry.objects.filter(action="download.fetched", details={"job_id": str(made.id)}).count() == 1


def test_a_look_at_the_head_fetches_nothing(proven: Client, made: ExportJob) -> None:
    answer = proven.head(file_of(made))

    assert answer.status_code == 200
    assert not AuditEntry.objects.filter(action="download.fetched").exists()


def test_an_old_session_proves_itself_first_and_then_gets_the_file(browser: Client, made: ExportJob) -> None:
    prove(browser, seconds_ago=301)

    answer = browser.get(file_of(made))

    assert answer.status_code == 303
    assert answer["Location"] == f"/security/confirm/?next=%2Fdownload%2F{made.id}%2Fsluice-data.zip"


def test_t1_nobody_else_fetches_it_and_nobody_learns_that_it_is_there(made: ExportJob, bob: User) -> None:
    other = signed_in(bob)
    prove(other)

    there = other.get(file_of(made))
    nowhere = other.get(f"/download/{cast.stranger()}/sluice-data.zip")

    assert there.status_code == nowhere.status_code == 404
    assert not Page(other.get(PAGE)).says("Your copy is ready")
    assert Client().get(file_of(made)).status_code == 302


def test_after_a_day_it_is_gone_by_the_clock(proven: Client, made: ExportJob) -> None:
    ExportJob.objects.update(expires_at=clock.now())

    assert proven.get(file_of(made)).status_code == 404
    assert not Page(proven.get(PAGE)).says("Your copy is ready")


def test_one_that_is_not_ready_is_not_there(proven: Client, alice: User) -> None:
    job = jobs.request(alice, actor=cast.BY_USER, now=clock.now())

    assert proven.get(file_of(job)).status_code == 404


def test_a_failure_is_said_and_can_be_asked_again(proven: Client, made: ExportJob) -> None:
    ExportJob.objects.update(status="FAILED", error_code="internal_error")

    page = Page(proven.get(PAGE))

    assert page.says("Your copy could not be made")
    assert page.says(str(made.id))
    assert page.form(PAGE).button.words == "Make my copy"


def test_a_closed_profile_cannot_ask(proven: Client) -> None:
    User.objects.update(is_active=False)

    assert proven.post(PAGE).status_code == 302
    assert not ExportJob.objects.exists()
