"""A page as a person without a mouse finds it: title, forms, controls and words."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = frozenset({"meta", "link", "input", "path", "circle", "br", "hr", "img"})


@dataclass(slots=True)
class Control:
    """One input or button: `words` is a button's text."""

    tag: str
    attributes: dict[str, str]
    words: str = ""

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def value(self) -> str:
        return self.attributes.get("value", "")

    @property
    def is_ticked(self) -> bool:
        return "checked" in self.attributes

    @property
    def look(self) -> tuple[str, str, str]:
        """What makes one button weigh more than another."""
        return self.tag, self.attributes.get("type", ""), self.attributes.get("class", "")


@dataclass(slots=True)
class Form:
    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    @property
    def hidden(self) -> dict[str, str]:
        """What a browser sends along without being asked, but the CSRF token."""
        return {
            one.name: one.value
            for one in self.controls
            if one.attributes.get("type") == "hidden" and one.name != "csrfmiddlewaretoken"
        }

    @property
    def has_csrf_token(self) -> bool:
        return any(one.name == "csrfmiddlewaretoken" for one in self.controls)

    @property
    def button(self) -> Control:
        """The one that sends the form as it is; others say by their name what else to do."""
        (button,) = (one for one in self.controls if one.tag == "button" and not one.name)
        return button

    def named(self, name: str) -> list[Control]:
        return [one for one in self.controls if one.name == name]


class Page(HTMLParser):
    """Read from a response of Django's test client."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.title = ""
        self.words = ""
        self.forms: list[Form] = []
        self.links: list[Control] = []
        self.landmarks: list[str] = []
        self.attributes: list[tuple[str, str]] = []  #: every attribute of every element
        self._elsewhere: list[Form] = []
        self._open: list[str] = []
        self._button: Control | None = None
        self.feed(response.content.decode())
        self.forms += self._elsewhere
        self.words = " ".join(self.words.split())

    def form(self, ending: str) -> Form:
        """The only form whose action ends so."""
        (found,) = (one for one in self.forms if one.action.endswith(ending))
        return found

    def says(self, words: str) -> bool:
        return words in self.words

    def links_to(self, beginning: str) -> list[str]:
        """Addresses that begin so, in the page's order."""
        return [href for one in self.links if (href := one.attributes.get("href", "")).startswith(beginning)]

    @staticmethod
    def _other_end(form: Form, button: Control) -> Form:
        """A second button that sends its form somewhere else is a form of its own, with the same hidden fields."""
        hidden = [one for one in form.controls if one.attributes.get("type") == "hidden"]
        return Form(button.attributes["formaction"], form.method, [*hidden, button])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name) for name in given]
        if tag not in _VOID:
            self._open.append(tag)
        if tag in ("header", "main", "footer", "nav"):
            self.landmarks.append(tag)
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "a":
            self.links.append(Control(tag, given))
            self._button = self.links[-1]
        elif tag in ("input", "button"):
            control = Control(tag, given)
            if "formaction" in given:
                self._elsewhere.append(self._other_end(self.forms[-1], control))
            elif "form" in self._open:
                self.forms[-1].controls.append(control)
            self._button = control if tag == "button" else None

    def handle_endtag(self, tag: str) -> None:
        if tag in ("button", "a"):
            self._button = None
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "title" in self._open:
            self.title += data
        else:
            self.words += f" {data}"
        if self._button is not None:
            self._button.words += data
