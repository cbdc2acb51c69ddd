"""Who may open a bank's console or the operator's pages. The pages here stand for every page behind the decorators."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from banks.directory import InstitutionCard
from banks.models import Institution
from consents import clock
from gateway import urls
from gateway.identity import staff
from gateway.identity.models import Membership, MembershipRole, User
from gateway.identity.staff import StaffRequest, acting, bank_staff, operator
from tests.gateway.portal.html import Page
from tests.support import cast, factors
from tests.support.cast import Member

CONSOLE = "/console/northbank/"
OPERATOR = "/operators-page/"


@bank_staff
def console(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    return HttpResponse(f"{institution.slug} {request.actor.initiator} {request.actor.pseudonym}")


@bank_staff
@acting
def act(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    return HttpResponse(f"acted: {request.method}")


@acting
@bank_staff
def act_the_other_way_round(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    return HttpResponse(f"acted: {request.method}")


@operator
@acting
def operators_page(request: StaffRequest) -> HttpResponse:
    return HttpResponse(f"{request.actor.initiator}")


def admin_like(request: HttpRequest) -> HttpResponse:
    """As an AdminSite uses operator_only and operator_refusal."""
    if staff.operator_only(request):
        return HttpResponse("admin")
    return staff.operator_refusal(request)  # type: ignore[arg-type]


urlpatterns = [
    *urls.urlpatterns,
    path("console/<slug:slug>/", console),
    path("console/<slug:slug>/act/", act),
    path("console/<slug:slug>/act-too/", act_the_other_way_round),
    path("operators-page/", operators_page),
    path("admin-like/", admin_like),
]
handler404 = urls.handler404


@pytest.fixture(autouse=True)
def pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def clerk(northbank: Institution) -> User:
    return factors.clerk(northbank)


def test_staff_with_a_proved_factor_see_their_bank(clerk: User) -> None:
    answer = factors.proved(clerk).get(CONSOLE)

    assert answer.content.decode() == f"northbank BANK {clerk.pseudonym}"
    assert "no-store" in answer["Cache-Control"]


def test_visitor_signs_in_first(northbank: Institution) -> None:
    answer = Client().get(CONSOLE)

    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={CONSOLE}")


def a_customer(northbank: Institution) -> User:
    return cast.person("customer")


def other_banks_staff(northbank: Institution) -> User:
    return factors.clerk(cast.institution("southbank"), "other-clerk")


def platforms_staff(northbank: Institution) -> User:
    user, chat = cast.person("platform-admin"), cast.chat()
    Membership.objects.create(user=user, role=MembershipRole.PLATFORM_ADMIN, platform=chat.platform)
    return user


def former_staff(northbank: Institution) -> User:
    user = factors.clerk(northbank, "former-clerk")
    Membership.objects.filter(user=user).update(ended_at=clock.now())
    return user


def the_operator(northbank: Institution) -> User:
    return factors.operator()


@pytest.mark.parametrize("who", [a_customer, other_banks_staff, platforms_staff, former_staff, the_operator])
def test_t15_a_stranger_to_the_bank_does_not_learn_that_it_is_there(
    northbank: Institution, who: Callable[[Institution], User]
) -> None:
    browser = factors.proved(who(northbank))
    there, nowhere = browser.get(CONSOLE), browser.get("/console/no-such-bank/")

    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert Page(there).words.replace("northbank", "") == Page(nowhere).words.replace("no-such-bank", "")
    assert browser.post(f"{CONSOLE}act/").status_code == 404


def test_t15_staff_without_a_second_factor_are_told_to_set_one_up(clerk: User) -> None:
    answer = factors.browser_of(clerk).get(CONSOLE)

    page = Page(answer)
    assert answer.status_code == 403
    assert page.says("Set up a second factor first")
    assert "/security/codes/" in [link.attributes["href"] for link in page.links]


def test_t15_a_factor_that_this_session_has_not_seen_opens_nothing(clerk: User) -> None:
    factors.set_up_codes(clerk)

    answer = factors.browser_of(clerk).get(CONSOLE)

    assert answer.status_code == 303
    assert answer["Location"] == "/security/confirm/code/?next=%2Fconsole%2Fnorthbank%2F"


def test_t15_another_persons_proof_in_the_session_is_none(clerk: User, northbank: Institution) -> None:
    browser = factors.proved(factors.clerk(northbank, "colleague"))
    factors.set_up_codes(clerk)
    session = browser.session
    kept = {name: session[name] for name in dict(session.items()) if name.startswith("account_authentication")}
    other = factors.browser_of(clerk)
    session = other.session
    session.update(kept)
    session.save()

    assert other.get(CONSOLE).status_code == 303


@pytest.mark.parametrize("address", ["act/", "act-too/"])
def test_t15_acting_needs_a_proof_of_the_last_15_minutes(clerk: User, address: str) -> None:
    browser = factors.proved(clerk)
    factors.age(browser, timedelta(minutes=14))
    soon = browser.post(CONSOLE + address)
    factors.age(browser, timedelta(minutes=2))
    late = browser.post(CONSOLE + address)

    assert soon.content == b"acted: POST"
    assert (late.status_code, late["Location"].split("?")[0]) == (303, "/security/confirm/code/")
    assert browser.get(CONSOLE + address).content == b"acted: GET"
    factors.prove(browser, clerk)
    assert browser.post(CONSOLE + address).content == b"acted: POST"


def test_t15_a_password_is_no_proof_for_acting(clerk: User) -> None:
    browser = factors.proved(clerk)
    factors.age(browser, timedelta(minutes=16))

    answer = browser.post("/security/confirm/", {"password": cast.PASSWORD, "next": f"{CONSOLE}act/"})

    assert answer["Location"].startswith("/security/confirm/code/")
    assert browser.post(f"{CONSOLE}act/").status_code == 303


def test_role_that_ended_stops_at_the_next_request(clerk: User) -> None:
    browser = factors.proved(clerk)
    assert browser.get(CONSOLE).status_code == 200

    Membership.objects.filter(user=clerk).update(ended_at=clock.now())

    assert browser.get(CONSOLE).status_code == 404


def test_account_that_was_closed_stops_at_the_next_request(clerk: User) -> None:
    browser = factors.proved(clerk)

    User.objects.filter(id=clerk.id).update(is_active=False)

    assert browser.get(CONSOLE).status_code == 302


def test_memberships_are_of_banks_only_and_by_name(clerk: User, northbank: Institution, chat: Member) -> None:
    Membership.objects.create(user=clerk, role=MembershipRole.BANK_ADMIN, institution=cast.institution("a-bank"))
    Membership.objects.create(user=clerk, role=MembershipRole.PLATFORM_ADMIN, platform=chat.platform)

    assert [card.slug for card in staff.memberships(clerk)] == ["a-bank", "northbank"]


def test_somebody_who_comes_back_has_the_old_row_and_a_new_one(clerk: User, northbank: Institution) -> None:
    Membership.objects.filter(user=clerk).update(ended_at=clock.now())

    Membership.objects.create(user=clerk, role=MembershipRole.BANK_ADMIN, institution=northbank)

    assert [card.slug for card in staff.memberships(clerk)] == ["northbank"]


@pytest.mark.parametrize("address", [OPERATOR, "/admin-like/"])
class TestTheOperator:
    def test_with_a_proved_factor_is_let_in(self, db: None, address: str) -> None:
        assert factors.proved(factors.operator()).get(address).status_code == 200

    def test_t15_without_one_is_told_to_set_it_up(self, db: None, address: str) -> None:
        answer = factors.browser_of(factors.operator()).get(address)

        assert (answer.status_code, Page(answer).says("Set up a second factor first")) == (403, True)

    def test_t15_proves_what_the_session_has_not_seen(self, db: None, address: str) -> None:
        user = factors.operator()
        factors.set_up_codes(user)

        assert factors.browser_of(user).get(address)["Location"].startswith("/security/confirm/code/")

    def test_t15_acts_only_within_15_minutes(self, db: None, address: str) -> None:
        browser = factors.proved(factors.operator())
        factors.age(browser, timedelta(minutes=16))

        assert browser.get(address).status_code == 200
        assert browser.post(address)["Location"].startswith("/security/confirm/code/")

    @pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
    def test_needs_both_flags(self, db: None, address: str, flag: str) -> None:
        user = factors.operator()
        User.objects.update(**{flag: False})

        assert factors.proved(user).get(address).status_code == 404

    def test_is_not_a_banks_staff(self, northbank: Institution, address: str) -> None:
        assert factors.proved(factors.clerk(northbank)).get(address).status_code == 404
