"""Every case leads to its verdict by its check, in the dialect and in normalization; no database, no socket."""

from collections import Counter

import pytest

from tests.corpus import answers, rows, texts
from tests.corpus.bank import observed, observed_rows
from tests.corpus.case import Case, Verdict, Where

CASES: list[Case] = [*rows.CASES, *answers.CASES, *texts.CASES]
OF_ANSWERS = [case for case in CASES if case.where is not Where.ROW]


def test_the_corpus_has_its_size() -> None:
    assert len(CASES) >= 200
    assert len([case for case in CASES if case.verdict is not Verdict.TAKEN]) >= 200
    assert {case.where for case in CASES} == set(Where)


def test_no_two_cases_have_both_kind_and_check_in_common() -> None:
    twice = [key for key, count in Counter((case.kind, case.check) for case in CASES).items() if count > 1]

    assert twice == []


def test_t12_every_bad_row_leads_to_its_verdict_and_its_neighbours_are_taken() -> None:
    found = {case.name: verdict for case, verdict in observed_rows(rows.CASES)}

    assert found == {case.name: (case.verdict, case.check) for case in rows.CASES}


@pytest.mark.parametrize("case", OF_ANSWERS, ids=lambda case: case.name)
def test_t12_every_bad_answer_leads_to_its_verdict(case: Case) -> None:
    assert observed(case) == (case.verdict, case.check)
