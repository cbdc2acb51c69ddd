"""What a read asks of its connection, in how many statements.

Apart from the other tests of these reads, whose rows are written once, in a transaction around all of them.
"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from banks import read
from banks.read import TransactionFilter
from tests.banks.test_read_sql import World
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_read_is_three_statements_on_postgresql() -> None:
    world = World()
    permit, account_id = world.permit(), world.current.id
    read.transactions(permit, account_id, TransactionFilter(), now=NOW, request_id="req_first")

    with CaptureQueriesContext(connection) as queries:
        read.transactions(permit, account_id, TransactionFilter(), now=NOW, request_id="req_second")

    # State, page, usage. SQLite logs in a transaction: BEGIN, the look at the consent, row, count, COMMIT.
    assert len(queries.captured_queries) == (3 if connection.vendor == "postgresql" else 7)
