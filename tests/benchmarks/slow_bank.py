"""A bank that answers every call correctly and 200 ms late: a process of its own, whose CPU nobody counts.

    python -m tests.benchmarks.slow_bank 9000 0.2     port on loopback, seconds before each answer

It speaks as much of UK Open Banking 4.0 as a sync asks for. Every customer has one account, with two payments in every
three days, the same at every call. `/counts` tells how many connections and calls there were.
"""

import asyncio
import json
import sys
from datetime import UTC, date, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, urlsplit

ROOT = "/open-banking/v4.0/aisp"
ACCOUNT_ID = "current"

_counts = {"connections": 0, "calls": 0}
_last_on = datetime.now(UTC).date() - timedelta(days=1)


def _accounts() -> bytes:
    account = {
        "AccountId": ACCOUNT_ID,
        "Status": "Enabled",
        "Currency": "GBP",
        "AccountTypeCode": "CACC",
        "Nickname": "Everyday",
    }
    return _envelope("Account", [account])


def _balances() -> bytes:
    balance = {
        "AccountId": ACCOUNT_ID,
        "CreditDebitIndicator": "Credit",
        "Type": "ITBD",
        "DateTime": "2026-03-01T00:00:00+00:00",
        "Amount": {"Amount": "1230.00", "Currency": "GBP"},
    }
    return _envelope("Balance", [balance])


@cache
def _transactions(since: date) -> bytes:
    days = (since + timedelta(days=number) for number in range((_last_on - since).days + 1))
    return _envelope("Transaction", [_transaction(day) for day in days if day.toordinal() % 3])


def _transaction(day: date) -> dict[str, object]:
    return {
        "AccountId": ACCOUNT_ID,
        "TransactionId": f"{day.isoformat()}-1",
        "CreditDebitIndicator": "Debit",
        "Status": "BOOK",
        "TransactionMutability": "Immutable",
        "BookingDateTime": f"{day.isoformat()}T00:00:00+00:00",
        "ValueDateTime": f"{day.isoformat()}T00:00:00+00:00",
        "Amount": {"Amount": f"{day.day}.50", "Currency": "GBP"},
        "TransactionInformation": f"GREENWAY MARKET LEEDS {day.day:04d}",
        "BankTransactionCode": {"Code": "CCRD", "SubCode": "POSD"},
        "MerchantDetails": {"MerchantName": "Greenway Market", "MerchantCategoryCode": "5411"},
    }


def _envelope(name: str, rows: list[dict[str, object]]) -> bytes:
    return json.dumps({"Data": {name: rows}, "Links": {}, "Meta": {"TotalPages": 1}}).encode()


def _body(target: str) -> bytes:
    url = urlsplit(target)
    if url.path.endswith("/balances"):
        return _balances()
    if url.path.endswith("/transactions"):
        begins = parse_qs(url.query).get("fromBookingDateTime", ["2026-01-01"])[0]
        return _transactions(date.fromisoformat(begins[:10]))
    return _accounts()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    counted = False
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = head.split(b" ", 2)[1].decode("ascii")
            if target == "/counts":
                body = json.dumps(_counts).encode()
            else:
                _counts["connections"] += not counted
                _counts["calls"] += 1
                counted = True
                await asyncio.sleep(seconds)
                body = _body(target)
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(answer + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has hung up
    finally:
        writer.close()


async def main(port: int, seconds: float) -> None:
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, seconds), "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
