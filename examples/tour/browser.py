"""A browser without JavaScript: cookies, redirects and forms, chosen by the words on their buttons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT_SECONDS = 30
REDIRECTS_MAX = 10


class UnexpectedPage(Exception):
    """The page is not the one a person would be at now."""


@dataclass(slots=True, kw_only=True)
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str, bool]] = field(default_factory=list)  #: boxes and radio buttons: name, value, ticked
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  #: name, value, words


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.title = ""
        self._inside = ""
        self._inside_form = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "title":
            self._inside = "title"
        elif tag == "a" and "href" in given:
            self._inside = "a"
            self.links.append((given["href"], ""))
        elif tag == "form":
            self._inside_form = True
            self.forms.append(Form(action=given.get("action", ""), method=given.get("method", "get").lower()))
        elif not self._inside_form:
            return
        elif tag == "input" and given.get("type") in ("checkbox", "radio"):
            self.forms[-1].choices.append((name, value, "checked" in given))
        elif tag == "input" and name:
            self.forms[-1].fields.append((name, value))
        elif tag == "button":
            self._inside = "button"
            self.forms[-1].buttons.append((name, value, ""))

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside == "a":
            address, words = self.links[-1]
            self.links[-1] = (address, words + data)
        elif self._inside == "button":
            name, value, words = self.forms[-1].buttons[-1]
            self.forms[-1].buttons[-1] = (name, value, words + data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("title", "button", "a"):
            self._inside = ""
        elif tag == "form":
            self._inside_form = False


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    title: str
    text: str
    forms: Sequence[Form]
    links: Sequence[tuple[str, str]]  #: address and words

    def link(self, words: str) -> str:
        """The whole address of the first link that begins with these words. Raises UnexpectedPage."""
        for address, shown in self.links:
            if " ".join(shown.split()).startswith(words):
                return urljoin(self.url, address)
        raise UnexpectedPage(f"no link {words!r} at {urlsplit(self.url).path} ({self.status}, {self.title!r})")

    def form(self, button: str) -> tuple[Form, tuple[str, str]]:
        """The form with this button, and what the button sends. Raises UnexpectedPage."""
        for candidate in self.forms:
            for name, value, words in candidate.buttons:
                if " ".join(words.split()).startswith(button):
                    return candidate, (name, value)
        raise UnexpectedPage(f"no button {button!r} at {urlsplit(self.url).path} ({self.status}, {self.title!r})")

    def choices(self, name: str) -> list[tuple[str, bool]]:
        """(value, ticked) of every box or radio button called `name`."""
        return [(value, ticked) for form in self.forms for n, value, ticked in form.choices if n == name]


class Browser:
    """Follows redirects among `origins`; a redirect elsewhere ends the walk and is kept in `left_for`."""

    def __init__(self, *origins: str) -> None:
        self.origins = origins
        self.left_for: str | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    def open(self, url: str) -> Page:
        return self._follow(self._session.get(url, allow_redirects=False, timeout=TIMEOUT_SECONDS))

    def press(self, page: Page, button: str, values: Mapping[str, str | Sequence[str]] | None = None) -> Page:
        """Fill in the form that has this button and send it; what `values` does not name stays as the page had it."""
        form, (name, value) = page.form(button)
        sent: dict[str, str | Sequence[str]] = dict(form.fields)
        for choice, option, ticked in form.choices:
            if ticked:
                sent[choice] = option
        sent.update(values or {})
        if name:
            sent[name] = value
        target = urljoin(page.url, form.action or page.url)
        if form.method == "get":
            response = self._session.get(target, params=sent, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        else:
            headers = {"Referer": page.url, "Origin": _origin(page.url)}
            response = self._session.post(
                target, data=sent, headers=headers, allow_redirects=False, timeout=TIMEOUT_SECONDS
            )
        return self._follow(response)

    def _follow(self, response: requests.Response) -> Page:
        self.left_for = None
        for _ in range(REDIRECTS_MAX):
            if not response.is_redirect:
                return _page(response)
            target = urljoin(response.url, response.headers["Location"])
            if _origin(target) not in self.origins:
                self.left_for = target
                return _page(response)
            response = self._session.get(target, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        raise UnexpectedPage(f"more than {REDIRECTS_MAX} redirects")


def _page(response: requests.Response) -> Page:
    reader = _FormReader()
    reader.feed(response.text)
    title = " ".join(reader.title.split())
    return Page(response.url, response.status_code, title, response.text, reader.forms, reader.links)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
