"""HTML, made on the server: no page has a script. What is not marked as HTML is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from html import escape
from typing import Any

from examples.budget import words
from examples.budget.spending import Bar
from examples.budget.words import Notice


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """`template` with `{name}` filled in; whatever is not Html is escaped."""
    filled = {name: value if isinstance(value, Html) else escape(str(value)) for name, value in values.items()}
    return Html(template.format(**filled))


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Pocket Budget</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" type="image/svg+xml" href="/icon.svg">
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header><p><a href="/">Pocket Budget</a></p><p class="quiet">A sample app of Sluice</p></header>
<main id="main" tabindex="-1">
{message}
<h1>{title}</h1>
{body}
</main>
<footer><p>Pocket Budget keeps no bank data: it reads what you see when you look.</p></footer>
</body>
</html>
"""


def page(title: str, body: Html, message: str | None = None) -> str:
    said = html('<p class="message" role="status">{message}</p>', message=message) if message else Html()
    return html(_PAGE, title=title, body=body, message=said)


def button(form_token: str, action: str, label: str, **fields: str) -> Html:
    """A form with one button. `form_token` shows that it was our page that sent it."""
    hidden = joined(
        html('<input type="hidden" name="{name}" value="{value}">', name=name, value=value)
        for name, value in {"form_token": form_token, **fields}.items()
    )
    return html(
        '<form method="post" action="{action}">{hidden}<button>{label}</button></form>',
        action=action,
        hidden=hidden,
        label=label,
    )


# -- before and after --------------------------------------------------------------------------------------------------


def welcome(form_token: str) -> Html:
    return html(
        "<p>See what you have and where it goes. Connect your bank through Sluice: there you choose what we may see, "
        "and for how long. You can stop it at any time, here or there.</p>"
        "<h2>What we ask for</h2>"
        "<ul><li>Your accounts, balances and payments of the last 90 days.</li>"
        "<li>If you like: the names of shops, to sort your spending.</li></ul>"
        "<p>We ask for nothing else, and your bank password stays between you and your bank.</p>{connect}",
        connect=button(form_token, "/connect", "Connect your bank"),
    )


def notice(told: Notice, form_token: str, sharing_url: str) -> Html:
    parts = [html("<p>{text}</p>", text=told.text)]
    if told.goes_to_sluice:
        parts.append(
            html('<p><a class="button" href="{url}">{label}</a></p>', url=sharing_url, label=told.goes_to_sluice)
        )
    if told.may_connect:
        parts.append(button(form_token, "/connect", "Connect your bank"))
    return joined(parts)


def waiting() -> Html:
    return html(
        "<p>Your bank is sending your accounts. This takes a moment the first time.</p>"
        '<p><a class="button" href="/waiting">Look again</a></p>'
    )


def disconnect(form_token: str) -> Html:
    return html(
        "<p>We will see nothing of your bank any more, from this moment on. What Sluice kept "
        'only for this is deleted within a day.</p>{yes}<p><a href="/">Keep it connected</a></p>',
        yes=button(form_token, "/disconnect", "Disconnect now"),
    )


# -- what is shared ----------------------------------------------------------------------------------------------------


def overview(
    accounts: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
    spending: Mapping[str, Sequence[Bar]],
    events: Html,
    *,
    form_token: str,
    refresh_key: str,
    sharing_url: str,
    days: int,
) -> Html:
    """`accounts`: each with its balances. `spending`: by currency, of the last `days` days."""
    return joined(
        [
            *(_account(account, balances) for account, balances in accounts),
            button(form_token, "/refresh", "Ask the bank for fresh data", idempotency_key=refresh_key),
            *(_spending(currency, bars, days) for currency, bars in spending.items()),
            events,
            html(
                '<h2>Your sharing</h2><p><a href="{url}">See and change what you share, at Sluice</a></p>'
                '<p><a href="/disconnect">Disconnect your bank</a></p>',
                url=sharing_url,
            ),
        ]
    )


def happened(events: Sequence[Mapping[str, Any]]) -> Html:
    """Nothing at all where nothing is known."""
    if not events:
        return Html()
    lines = joined(_event(event["type"], event["initiator"], event["occurred_at"]) for event in events)
    return html('<h2>What happened</h2><ol class="events" role="list">{lines}</ol>', lines=lines)


def _event(kind: str, initiator: str | None, occurred_at: str) -> Html:
    what, hand = words.event(kind, initiator)
    return html(
        '<li>{what} <span class="quiet">{when}{hand}</span></li>',
        what=what,
        when=instant(occurred_at),
        hand=f", {hand}" if hand else "",
    )


def _account(account: Mapping[str, Any], balances: Sequence[Mapping[str, Any]]) -> Html:
    name = account.get("name") or "Account"
    return html(
        '<section class="account"><h2>{name}</h2><p class="quiet">{bank}, ends in {number}. As of {as_of}.</p>'
        '<dl>{balances}</dl><p><a href="/accounts/{account_id}">Payments<span class="unseen"> of {name}</span></a></p>'
        "</section>",
        name=name,
        bank=(account.get("institution") or {}).get("name", "Your bank"),
        number=account.get("masked_number") or "unknown digits",
        as_of=instant(account["as_of"]),
        balances=joined(
            html(
                "<div><dt>{kind}</dt><dd>{amount}</dd></div>",
                kind=words.balance(one["type"]),
                amount=money(one["amount"], one["currency"]),
            )
            for one in balances
        ),
        account_id=account["account_id"],
    )


def _spending(currency: str, bars: Sequence[Bar], days: int) -> Html:
    """Each figure stands in the table; the bars, one small drawing each, are for the eye alone."""
    rows = joined(
        html(
            '<tr><th scope="row">{label}</th><td class="drawn"><svg class="bar" viewBox="0 0 100 10" '
            'preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect width="{share}" height="10"></rect>'
            '</svg></td><td class="amount">{amount}</td></tr>',
            label=bar.label,
            share=bar.share,
            amount=money(str(bar.amount), currency),
        )
        for bar in bars
    )
    return html(
        '<h2>Where it went, in {currency}</h2><table class="spending"><caption>The last {days} days</caption>'
        '<thead><tr><th scope="col">Group</th><th scope="col"><span class="unseen">Compared</span></th>'
        '<th scope="col" class="amount">Spent</th></tr></thead><tbody>{rows}</tbody></table>',
        currency=currency,
        days=days,
        rows=rows,
    )


def payments(page: Mapping[str, Any], account_id: str, *, is_first: bool) -> Html:
    """One page of an account's transactions, and the way to the older ones."""
    rows = joined(_payment(row) for row in page["transactions"])
    table = html(
        '<table><caption class="unseen">Payments, the newest first</caption><thead><tr><th scope="col">Day</th>'
        '<th scope="col">What</th><th scope="col" class="amount">Amount</th></tr></thead><tbody>{rows}</tbody></table>',
        rows=rows,
    )
    ways = []
    if not is_first:
        ways.append(html('<a href="/accounts/{account}">Newest payments</a>', account=account_id))
    if page["next_cursor"] is not None:
        ways.append(
            html(
                '<a href="/accounts/{account}?cursor={cursor}">Older payments</a>',
                account=account_id,
                cursor=page["next_cursor"],
            )
        )
    body = table if page["transactions"] else html("<p>There are no payments in the time you share.</p>")
    return joined([body, html('<p class="ways">{ways}</p>', ways=joined(ways)), html('<p><a href="/">Back</a></p>')])


def _payment(row: Mapping[str, Any]) -> Html:
    what = (row.get("merchant") or {}).get("name") or words.kind(row["kind"])
    pending = html(' <span class="quiet">not booked yet</span>') if row["status"] == "PENDING" else Html()
    return html(
        '<tr><td>{day}</td><td>{what}{pending}</td><td class="amount">{amount}</td></tr>',
        day=day(date.fromisoformat(row["listed_on"])),
        what=what,
        pending=pending,
        amount=money(row["amount"], row["currency"]),
    )


# -- values ------------------------------------------------------------------------------------------------------------


def money(amount: str, currency: str) -> Html:
    """With a real minus sign, and nothing that breaks the line."""
    return html("{amount}&nbsp;{currency}", amount=f"{Decimal(amount):,}".replace("-", "−"), currency=currency)


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def instant(text: str | None) -> str:
    """In UTC, as the API tells it; a real app knows where its user lives."""
    if text is None:
        return "not yet known"
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{day(moment.date())}, {moment:%H:%M} UTC"
