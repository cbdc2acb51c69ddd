"""What must hold of a page however it is looked at: light and dark, wide and at 320 pixels, and written from the right.

The page is loaded once. Width, colours and direction are changed under it, as a person turns a phone or a switch.

All of axe runs once at each width and in each colour. Names and roles do not hang on colours or direction: the other
views are held against the rules that do. A run looks at three views; `--full` at more of them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped, unused-ignore]
from playwright.sync_api import Page, Request

TABS_MAX = 100
TABS_AT_ONCE = 10

#: WCAG 2.2 AA, what it builds on, and what axe's authors recommend beside it.
_ALL = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_NONE: Mapping[str, object] = {}
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
_TARGETS = {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}
_PLACES = {"type": "rule", "values": [*_COLOURS["values"], *_TARGETS["values"]]}


class View(NamedTuple):
    width: int
    scheme: str
    direction: str
    rules: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}-{self.direction}"


#: Each width with each colour, and each from the right.
_EVERY_VIEW = (
    View(320, "dark", "ltr", _ALL),
    View(320, "light", "rtl", _PLACES),
    View(1280, "light", "rtl", _NONE),
    View(1280, "dark", "ltr", _COLOURS),
    View(1280, "light", "ltr", _ALL),
)
#: Each rule at each width; each colour once, for colours do not hang on the width; from the right where room is scarce.
_ENOUGH = (
    View(320, "light", "ltr", _ALL),
    View(320, "light", "rtl", _TARGETS),
    View(1280, "dark", "ltr", _ALL),
)
#: How every page is looked at. The last is how it is left.
VIEWS = _EVERY_VIEW if os.environ.get("SLUICE_TEST_FULL") == "1" else _ENOUGH
#: Of a page that is made like another: each width, each colour and each rule once.
TWO_VIEWS = (VIEWS[0], VIEWS[-1])

_AXE = """rules => axe.run({runOnly: rules, resultTypes: ['violations'], preload: false, iframes: false})
    .then(found => found.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html)}`))"""
_NO_AXE_YET = "() => window.axe === undefined"
_SMALL_TARGETS = """() => [...document.querySelectorAll('button, input:not([type=hidden]), summary, .action')]
    .filter(one => one.checkVisibility())
    .filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24 })
    .map(one => `target below 24 px: ${one.outerHTML}`)"""
#: Border against the page's ground, as WCAG 1.4.11 counts; axe does not look at borders.
_FAINT_BORDERS = """() => {
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    const ground = getComputedStyle(document.documentElement).backgroundColor
    return [...document.querySelectorAll('main input:not([type=hidden])')]
        .map(one => [light(getComputedStyle(one).borderTopColor), light(ground)])
        .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05))
        .filter(contrast => contrast < 3)
        .map(contrast => `border of a field is ${contrast.toFixed(2)}:1`)
}"""
_SIDEWAYS = """() => {
    const root = document.documentElement
    return root.scrollWidth > innerWidth ? [`scrolls sideways, ${root.scrollWidth} px are needed`] : []
}"""
#: In one go: to ask a page and wait for its answer takes longer than most answers.
_SEEN = f"""async ([direction, rules]) => {{
    document.documentElement.dir = direction
    const found = rules.type ? await ({_AXE})(rules) : []
    return [...found, ...({_SIDEWAYS})(), ...({_SMALL_TARGETS})(), ...({_FAINT_BORDERS})()]
}}"""
#: Returns how many there may be: hidden ones too, and each button of a group.
_NOTE_FOCUS = """() => {
    window.focused = []
    document.addEventListener('focusin', () => {
        const one = document.activeElement
        const style = getComputedStyle(one)
        const isSeen = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
        window.focused.push({html: one.outerHTML.slice(0, 200), isSeen})
    })
    return document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]').length
}"""
_NOTE_POLICY_VIOLATIONS = """
window.policyViolations = []
document.addEventListener('securitypolicyviolation', one =>
    window.policyViolations.push(`against the policy: ${one.violatedDirective} ${one.blockedURI}`))
"""


class Eye:
    """Looks at what `page` shows. `findings` are of all pages, so that one run tells everything; empty is good."""

    def __init__(self, page: Page, *origins: str) -> None:
        """`origins`: where requests may go."""
        self.page = page
        self.findings: list[str] = []
        self._origins = set(origins)
        self._foreign: list[str] = []
        self._width, self._scheme = 0, ""
        page.add_init_script(_NOTE_POLICY_VIOLATIONS)
        page.add_init_script(AXE_SCRIPT)  # half a megabyte: sent once, not for every page
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" not in self._origins:
            self._foreign.append(request.url)

    def look(self, name: str, views: Sequence[View] = VIEWS) -> None:
        """At the page one is on, in each of `views`."""
        self._found(name, self.page.evaluate("window.policyViolations || []"))
        self._found(name, [f"asks a stranger: {url}" for url in self._foreign])
        self._foreign.clear()
        if self.page.evaluate(_NO_AXE_YET):  # the page was opened before its eye
            self.page.evaluate(AXE_SCRIPT)
        for view in views:
            self._turn(view)
            self._found(f"{name}, {view}", self.page.evaluate(_SEEN, [view.direction, view.rules]))
            self._save(f"{name}-{view}")

    def tab_through(self, name: str) -> None:
        """By the keyboard from one end of the page to the other: wherever one is, it can be seen."""
        seen: set[str] = set()
        for focused in self._focused_by_tab():
            if focused["html"] in seen:  # round again
                break
            seen.add(focused["html"])
            self._found(name, [] if focused["isSeen"] else [f"focus is not seen: {focused['html']}"])
        self._found(name, [] if seen else ["the keyboard reaches nothing"])
        # Left in focus: an answer one is about to give must be as easy to read as the others.
        self.page.evaluate("document.activeElement.blur(); document.querySelector('main .action')?.focus()")

    def _focused_by_tab(self) -> Iterator[Any]:
        """The page notes each itself: to be asked after every key would take most of the time."""
        presses = self.page.evaluate(_NOTE_FOCUS) + 2  # to the first of them again, past the window's own
        for _ in range(TABS_MAX // TABS_AT_ONCE):
            for _ in range(min(presses, TABS_MAX)):
                self.page.keyboard.press("Tab")
            told = self.page.evaluate("window.focused.splice(0)")
            yield from told
            if not told:
                return
            presses = TABS_AT_ONCE

    def _turn(self, view: View) -> None:
        """Direction apart: that is turned as the page is seen."""
        if self._width != view.width:
            self.page.set_viewport_size({"width": view.width, "height": 900})
        if self._scheme != view.scheme:
            self.page.emulate_media(color_scheme=view.scheme)  # type: ignore[arg-type]
        self._width, self._scheme = view.width, view.scheme

    def _found(self, where: str, findings: Any) -> None:
        self.findings.extend(f"{where}: {one}" for one in findings)

    def _save(self, name: str) -> None:
        """For people to look at: only when SLUICE_SCREENSHOTS names a directory."""
        if directory := os.environ.get("SLUICE_SCREENSHOTS"):
            self.page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)
