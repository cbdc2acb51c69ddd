"""Pocket Budget, a small budgeting app: what a platform's developer would write. Python and `requests`, no more.

`python3 run.py --with-example` starts it beside an instance. It keeps no bank data, only tokens: what it shows it reads
when it is asked for, so that a stop is felt at the next page.

configuration: what it is told · sluice: the client of Sluice · store: sessions, tokens, events · follower: the log of
events · spending: sums · words: what to say · pages: HTML · web: WSGI · app: what each address does
"""
