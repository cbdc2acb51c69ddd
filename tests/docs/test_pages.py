"""The pages hold together: links lead somewhere, lists are complete, and nothing of a machine is on them."""

import re
from pathlib import Path

import pytest

from consents.scopes import PURPOSE_SCOPES
from gateway.problems import PROBLEMS
from tests.docs.markdown import PAGES, ROOT, read

API = ROOT / "docs" / "api.md"
LLMS = ROOT / "llms.txt"

#: Paths of one machine, and where packages come from: a page is for every reader.
_OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/|pypi\.org|files\.pythonhosted|npmjs|index-url")


def targets(file: Path) -> list[tuple[Path, str]]:
    """(file, anchor) of every link inside the repository."""
    found = []
    for link in read(file).links:
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            found.append(((file.parent / path).resolve() if path else file, anchor))
    return found


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_every_link_leads_to_a_file_and_a_heading_of_it(file: Path) -> None:
    for target, anchor in targets(file):
        assert target.exists(), f"{file.name}: no {target.relative_to(ROOT)}"
        if anchor:
            assert anchor in read(target).anchors, f"{file.name}: no #{anchor} in {target.name}"


@pytest.mark.parametrize("file", [*PAGES, LLMS, ROOT / "CHANGELOG.md"], ids=lambda file: file.name)
def test_no_page_speaks_of_one_machine_or_of_a_package_registry(file: Path) -> None:
    assert _OF_A_MACHINE.findall(file.read_text()) == []


def test_a_link_to_nothing_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.markdown.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# One `thing`\n[here](#one-thing) [there](other.md#x) [out](https://example.org)\n")

    assert targets(page) == [(page, "one-thing"), (tmp_path / "other.md", "x")]
    assert read(page).anchors == {"one-thing"}


def test_every_page_is_in_the_index_and_in_llms_txt() -> None:
    index = {target for target, _ in targets(ROOT / "docs" / "README.md")}
    listed = {(ROOT / path).resolve() for path in re.findall(r"\]\(([^)]+)\)", LLMS.read_text())}
    pages = {file for file in PAGES if file.parent == ROOT / "docs" and file.name != "README.md"}

    assert pages <= index
    assert pages | {ROOT / "docs" / "README.md", ROOT / "CONTRIBUTING.md"} <= listed
    assert all(path.exists() for path in listed)


def test_every_line_of_llms_txt_says_what_is_there() -> None:
    lines = [line for line in LLMS.read_text().splitlines() if line.startswith("- ")]

    assert all(re.fullmatch(r"- \[[^]]+\]\([^)]+\): .{10,}", line) for line in lines)


def test_the_api_guide_has_every_problem_as_the_code_has_it() -> None:
    expected = [
        f"| `{row.code}` | {row.status} | {f'`{row.owner}`' if row.owner else ''} | {row.detail.replace('|', '/')} |"
        for row in sorted(PROBLEMS.values(), key=lambda row: (row.status, row.code))
    ]

    found = [line for line in API.read_text().splitlines() if re.match(r"\| `[a-z_0-9]+` \| [45]\d\d \|", line)]

    assert found == expected, "docs/api.md should have:\n" + "\n".join(expected)


def test_the_api_guide_has_the_most_that_each_purpose_may_ask_for() -> None:
    expected = [
        f"| `{purpose}` | {', '.join(f'`{scope}`' for scope in sorted(scopes))} |"
        for purpose, scopes in PURPOSE_SCOPES.items()
    ]

    assert [line for line in expected if line not in API.read_text()] == []
