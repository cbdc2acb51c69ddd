"""What each address does: a request in, one call of Sluice or the store, a page out."""

import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from examples.budget import pages, spending, words
from examples.budget.access import Access, Stopped
from examples.budget.configuration import Configuration
from examples.budget.sluice import Refused, Sluice, TokenRefused, Tokens, Unreachable
from examples.budget.store import SESSION_SECONDS, Session, Store
from examples.budget.web import Request, Response, cookie, host_of, same, security_headers, see_other

SPENDING_DAYS = 30
PAYMENTS_SHOWN = 25
FIRST_SYNC_SECONDS = 8.0
LOOK_EVERY_SECONDS = 0.3
_HERE = Path(__file__).parent
#: By address: the same for everybody, so no session is needed.
_FILES = {
    "/style.css": Response((_HERE / "style.css").read_text(), content_type="text/css; charset=utf-8"),
    "/icon.svg": Response((_HERE / "icon.svg").read_text(), content_type="image/svg+xml"),
}

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Handler = Callable[[Request, Session], Response]


class App:
    """The WSGI application."""

    def __init__(self, configuration: Configuration, sluice: Sluice, store: Store) -> None:
        self._configuration = configuration
        self._sluice = sluice
        self._store = store
        self._access = Access(sluice, store)
        self._sharing_url = f"{configuration.issuer}/"
        self._cookie = "__Host-budget" if configuration.is_https else "budget"
        self._headers = security_headers(configuration.issuer)
        self._handlers: Mapping[tuple[str, str], Handler] = {
            ("GET", "/"): self._home,
            ("POST", "/connect"): self._connect,
            ("GET", "/callback"): self._callback,
            ("GET", "/waiting"): self._waiting,
            ("GET", "/accounts"): self._payments,
            ("POST", "/refresh"): self._refresh,
            ("GET", "/disconnect"): self._ask_to_disconnect,
            ("POST", "/disconnect"): self._disconnect,
        }

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        response = self._answer(Request.of(environ))
        body = response.body.encode()
        headers = {
            **self._headers,
            "Content-Type": response.content_type,
            "Content-Length": str(len(body)),
            **response.headers,
        }
        start_response(f"{response.status.value} {response.status.phrase}", list(headers.items()))
        return [body]

    def _answer(self, request: Request) -> Response:
        if request.host != host_of(self._configuration.origin):
            return _plain(HTTPStatus.MISDIRECTED_REQUEST, "This is not the address of Pocket Budget.")
        if request.path in _FILES:
            return _FILES[request.path]
        root = f"/{request.path.split('/')[1]}" if request.path.startswith("/accounts/") else request.path
        handler = self._handlers.get((request.method, root))
        if handler is None:
            return _plain(HTTPStatus.NOT_FOUND, "There is no such page here.")
        session = self._store.session(request.cookies.get(self._cookie, ""))
        if request.method == "POST":
            if session is None or not same(request.form.get("form_token", ""), session.form_token):
                return _plain(HTTPStatus.FORBIDDEN, "This form is out of date. Go back, load the page, and try again.")
            return self._handled(handler, request, session)
        if session is None:
            session = self._store.new_session()
            return self._with_cookie(self._handled(handler, request, session), session)
        return self._handled(handler, request, session)

    def _handled(self, handler: Handler, request: Request, session: Session) -> Response:
        """Every no of Sluice becomes a page that says what it means, and what one can do."""
        try:
            return handler(request, session)
        except Stopped as stopped:
            told = words.ended(stopped.code, stopped.by) if stopped.is_over else words.held(stopped.code)
        except Refused as refused:
            print(f"{request.path}: {refused}", file=sys.stderr, flush=True)
            told = words.refused(refused)
        except (TokenRefused, Unreachable) as error:
            print(f"{request.path}: {type(error).__name__} {error}", file=sys.stderr, flush=True)
            told = words.unreachable()
        return self._noticed(session, told)

    # -- connecting ----------------------------------------------------------------------------------------------------

    def _connect(self, request: Request, session: Session) -> Response:
        question = self._sluice.question()
        self._store.ask(session, question)
        return see_other(question.url)

    def _callback(self, request: Request, session: Session) -> Response:
        asked = self._store.take_question(session)
        given = request.query
        # RFC 9207: an answer of another server must not be redeemed at this one.
        if (
            asked is None
            or not same(given.get("state", ""), asked[0])
            or given.get("iss") != self._configuration.issuer
        ):
            return _plain(
                HTTPStatus.BAD_REQUEST, "This is no answer to a question of this browser. Please begin again."
            )
        if "code" not in given:
            said_no = given.get("error") == "access_denied"
            self._store.say(
                session, "You said no. Nothing was shared." if said_no else "It did not work. Nothing was shared."
            )
            return see_other("/")
        try:
            tokens = self._sluice.redeem(given["code"], asked[1])
        except TokenRefused:
            self._store.say(session, "That took too long, so nothing was shared. Please try again.")
            return see_other("/")
        return self._with_cookie(see_other("/waiting"), self._store.connect(session, tokens))

    def _waiting(self, request: Request, session: Session) -> Response:
        """Holds the browser for a moment: the first fetch is mostly over by then."""
        tokens = self._tokens(session)
        until = time.monotonic() + FIRST_SYNC_SECONDS
        while tokens is not None:
            found = self._access.use(tokens, lambda good: self._sluice.read(good, "/transactions/sync", limit="1"))
            if found["update_status"] != "FIRST_SYNC":
                break
            if time.monotonic() > until:
                return self._page(session, "Your bank is on its way", pages.waiting())
            time.sleep(LOOK_EVERY_SECONDS)
        return see_other("/")

    # -- what is shared ------------------------------------------------------------------------------------------------

    def _home(self, request: Request, session: Session) -> Response:
        link = None if session.consent_id is None else self._store.link(session.consent_id)
        if link is None:
            return self._page(session, "Know where your money goes", pages.welcome(session.form_token))
        if link.tokens is None:
            return self._noticed(session, words.ended(link.ended_code or "", link.ended_by))
        return self._access.use(link.tokens, lambda tokens: self._overview(session, tokens))

    def _overview(self, session: Session, tokens: Tokens) -> Response:
        since = datetime.now(UTC).date() - timedelta(days=SPENDING_DAYS)
        accounts, rows = [], []
        for account in self._sluice.read(tokens, "/accounts")["accounts"]:
            balances = self._sluice.read(tokens, f"/accounts/{account['account_id']}/balances")
            if balances["as_of"] is None:
                return self._page(session, "Your bank is on its way", pages.waiting())
            accounts.append((account, balances["balances"]))
            rows += self._sluice.transactions(tokens, account["account_id"], **{"from": since.isoformat()})
        body = pages.overview(
            accounts,
            spending.by_category(rows),
            pages.happened(self._store.events(tokens.consent_id)),
            form_token=session.form_token,
            refresh_key=secrets.token_urlsafe(16),
            sharing_url=self._sharing_url,
            days=SPENDING_DAYS,
        )
        return self._page(session, "Your money", body)

    def _payments(self, request: Request, session: Session) -> Response:
        tokens = self._tokens(session)
        account_id = request.path.removeprefix("/accounts/")
        if tokens is None or not account_id.replace("_", "").isalnum():
            return see_other("/")
        cursor = request.query.get("cursor")
        query = {"limit": str(PAYMENTS_SHOWN), **({"cursor": cursor} if cursor else {})}

        def read(good: Tokens) -> tuple[str, Mapping[str, Any]]:
            account = self._sluice.read(good, f"/accounts/{account_id}")["account"]
            return account.get("name") or "Account", self._sluice.read(
                good, f"/accounts/{account_id}/transactions", **query
            )

        name, page = self._access.use(tokens, read)
        return self._page(session, f"Payments of {name}", pages.payments(page, account_id, is_first=cursor is None))

    def _refresh(self, request: Request, session: Session) -> Response:
        tokens = self._tokens(session)
        if tokens is not None:
            key = request.form.get("idempotency_key") or secrets.token_urlsafe(16)
            refresh = self._access.use(
                tokens,
                lambda good: self._sluice.refresh(good, customer_ip_address=request.address, idempotency_key=key),
            )
            self._store.say(session, words.refreshed(refresh["status"]))
        return see_other("/")

    # -- the end -------------------------------------------------------------------------------------------------------

    def _ask_to_disconnect(self, request: Request, session: Session) -> Response:
        return self._page(session, "Disconnect your bank?", pages.disconnect(session.form_token))

    def _disconnect(self, request: Request, session: Session) -> Response:
        if session.consent_id is not None:
            self._sluice.end(session.consent_id)
            self._store.end(session.consent_id, code="consent_revoked", by="PLATFORM")
        return see_other("/")

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _tokens(self, session: Session) -> Tokens | None:
        link = None if session.consent_id is None else self._store.link(session.consent_id)
        return None if link is None else link.tokens

    def _page(self, session: Session, title: str, body: pages.Html) -> Response:
        return Response(pages.page(title, body, self._store.take_message(session)))

    def _noticed(self, session: Session, told: words.Notice) -> Response:
        body = pages.notice(told, session.form_token, self._sharing_url)
        happened = (
            pages.Html() if session.consent_id is None else pages.happened(self._store.events(session.consent_id))
        )
        return self._page(session, told.title, pages.joined([body, happened]))

    def _with_cookie(self, response: Response, session: Session) -> Response:
        value = cookie(self._cookie, session.id, is_https=self._configuration.is_https, seconds=SESSION_SECONDS)
        return response.with_header("Set-Cookie", value)


def _plain(status: HTTPStatus, text: str) -> Response:
    body = pages.html('<p>{text}</p><p><a href="/">To the first page</a></p>', text=text)
    return Response(pages.page(status.phrase, body), status)
