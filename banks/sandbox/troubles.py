"""The scenarios in words: who to log in as, what then happens, and what a client should do about it. Pure data.

The home page, `python -m banks.sandbox scenarios` and docs/scenarios.md are made of this table. What is said here is
done in behaviours/ and recipes/troubled.py.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """One scenario: `name` is the user name, `happens` and `advice` are one sentence each (or two short ones)."""

    name: str
    full_name: str
    happens: str
    advice: str


TROUBLES: tuple[Trouble, ...] = (
    # -- whose accounts ---------------------------------------------------------------------------------------------
    Trouble(
        "joint",
        "Joan Ashdown",
        "One of two accounts is held with joint2 and has both names.",
        "Take the account as one of this login's; its number is not proof of a single holder.",
    ),
    Trouble(
        "joint2",
        "Jack Ashdown",
        "The other holder: the same joint account and number under another AccountId, next to an account of his own.",
        "Keep the two logins apart; never merge two users' accounts because the numbers agree.",
    ),
    Trouble(
        "another_person",
        "Walter Finch",
        "From stage 1 the same login and consent show another person's account: new AccountId, number and name.",
        "Hold the new accounts back and ask the user; do not add them to the old ones.",
    ),
    Trouble(
        "other_number",
        "Olive Norris",
        "From stage 1 the same AccountId has another account number.",
        "Treat it as another account: hold it back and ask the user.",
    ),
    Trouble(
        "closed_account",
        "Clara Dunmore",
        "From stage 1 the savings account is gone from the list, and asking for it is 403.",
        "Keep what is stored, show the account as closed, ask no more for it, and go on with the other one.",
    ),
    Trouble(
        "one_account_refused",
        "Rufus Keeling",
        "The savings account is listed, but its balances are 401 and its transactions 403; the current account works.",
        "Go on with the account that works; do not ask the user to connect again.",
    ),
    # -- time and load ----------------------------------------------------------------------------------------------
    Trouble(
        "slow",
        "Sloane Whitaker",
        "Every answer takes 3 seconds.",
        "Wait within a deadline, and never in the user's own request.",
    ),
    Trouble(
        "hanging",
        "Hank Morrow",
        "Balances and transactions are not answered for 60 seconds, then 504; a third that waits lets the first go.",
        "Give up at a deadline of your own and try again later; other banks must not wait for it.",
    ),
    Trouble(
        "dripping",
        "Drew Pascoe",
        "Balances and transactions come one byte a second; after 60 seconds the line is cut.",
        "Limit the time of the whole answer, not only the time between two bytes.",
    ),
    Trouble(
        "limited",
        "Lena Marlow",
        "Every second call for data is 429 with Retry-After: 2.",
        "Wait at least as long as it says; keep what was read; do not ask the user to connect again.",
    ),
    Trouble(
        "limited_silent",
        "Silas Marlow",
        "Every second call for data is 429 without Retry-After.",
        "Wait by a rule of your own, longer each time.",
    ),
    Trouble(
        "failing",
        "Fay Durrant",
        "Under each consent the first two calls for balances or transactions are 500 and 503; then all is well.",
        "Try again later, a few times; do not ask the user to connect again.",
    ),
    # -- answers that cannot be read --------------------------------------------------------------------------------
    Trouble(
        "truncated",
        "Trudy Halfpenny",
        "Transactions end before their Content-Length; balances are half a document.",
        "Refuse the whole answer; store nothing of it.",
    ),
    Trouble(
        "malformed",
        "Malcolm Fray",
        "Transactions are an HTML error page with status 200; balances are not JSON.",
        "Check type and syntax before anything else; store nothing.",
    ),
    Trouble(
        "sparse",
        "Spencer Thin",
        "Every member that the standard calls optional is missing: ids, texts, Meta, and Links after the last page.",
        "Take unknown as unknown; never fill in a value.",
    ),
    Trouble(
        "verbose",
        "Verity Long",
        "Every object has members that no standard knows, nested ones too.",
        "Ignore them.",
    ),
    Trouble(
        "odd_numbers",
        "Otto Quirk",
        "On the first of each month there are rows with -0, leading zeros, 1000000000000, five decimals, currencies "
        "XQZ and XAU, unknown codes, and the years 33 and 9999; account and balance codes are unknown too.",
        "Refuse the rows that cannot be right, each with a reason; store the rest; never round.",
    ),
    Trouble(
        "dst",
        "Dustin Summers",
        "On both nights when London changes its clocks rows have times of day, with the right or the wrong offset.",
        "Take the day as the bank writes it; never make a day from an instant.",
    ),
    # -- pages ------------------------------------------------------------------------------------------------------
    Trouble(
        "hostile_next",
        "Hester Vane",
        "The link to the next page of transactions leads to another origin.",
        "Refuse it; the access token goes to the bank alone.",
    ),
    Trouble(
        "circular_next",
        "Cyril Loop",
        "The last page of transactions links to the first one as its next.",
        "Notice a page that came before; do not read for ever and do not store rows twice.",
    ),
    Trouble(
        "mutating",
        "Muriel Shift",
        "Each time page 2 is read, a payment and its reversal appear at the top: two rows of page 1 come again.",
        "Know a row by its id; read again from the front next time.",
    ),
    Trouble(
        "gone_page",
        "Gordon Page",
        "The first time a consent asks for page 2 it is 404; after that it is there.",
        "Do not take the first page for the whole list; begin again.",
    ),
    Trouble(
        "stale_page",
        "Stella Page",
        "The first time a consent asks for page 2 it is 400; after that it is there.",
        "Begin again from the first page; the same link may never work.",
    ),
    # -- rows -------------------------------------------------------------------------------------------------------
    Trouble(
        "duplicates",
        "Doris Twigg",
        "Each day two different rows have one TransactionId, and two equal rows have none.",
        "Never trust an id to be unique: four rows a day are four rows.",
    ),
    Trouble(
        "reissued",
        "Rita Newsome",
        "Each time the list is read the same rows have new TransactionIds.",
        "Know rows by what they say; keep your own ids.",
    ),
    Trouble(
        "corrected",
        "Cora Mendham",
        "Today's bill is booked as an estimate; the next day it has another text and amount under the same id.",
        "Keep the id and say that the row changed.",
    ),
    Trouble(
        "pending_new_id",
        "Penny Newland",
        "A card payment is pending for 3 days, then booked on that day under a new id with no link to the old one.",
        "Keep the old row's id where exactly one pair fits in amount, currency and text; else offer a guess at most.",
    ),
    Trouble(
        "pending_vanishes",
        "Vance Penhale",
        "A card payment is pending for 3 days, then gone: it is never booked.",
        "Mark the row as removed; do not keep it pending.",
    ),
    Trouble(
        "short_history",
        "Shona Brief",
        "The bank shows 30 days, whatever was asked for, and its FirstAvailableDateTime says so.",
        "Say from which day on the history is complete.",
    ),
    Trouble(
        "short_history_silent",
        "Simon Brief",
        "The bank shows 30 days, whatever was asked for, and does not say so.",
        "Claim no more history than the rows prove.",
    ),
    Trouble(
        "drift",
        "Driscoll Wren",
        "In odd stages the balances are 1.23 more than the rows make.",
        "Compare opening balance and rows with the balance; report the gap, and read a longer window again.",
    ),
    # -- access that ends -------------------------------------------------------------------------------------------
    Trouble(
        "login_lost",
        "Logan Lapsley",
        "From stage 1, a week after the first answer, access tokens are 401 and refresh tokens invalid_grant, until "
        "the customer logs in again.",
        "Ask the user to log in at the bank again; keep accounts, rows and ids.",
    ),
    Trouble(
        "consent_revoked",
        "Connie Revell",
        "From stage 1 the customer has ended access at the bank: the consent is CANC and data calls are 401. "
        "Any customer can do the same at /access.",
        "Stop serving at once; look at the consent a few times a day, so that it is noticed.",
    ),
    Trouble(
        "short_consent",
        "Sharon Short",
        "The consent ends 60 seconds after it was allowed, whatever was asked for; its ExpirationDateTime says so.",
        "Read the expiry back from the bank; never trust the one you asked for.",
    ),
)
