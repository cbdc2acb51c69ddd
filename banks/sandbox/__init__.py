"""Pretend banks that speak UK Open Banking Read/Write over HTTP: a current-account bank (4.0), a card issuer (3.1.11).

A Django project of its own; each bank in a process of its own, with its own SQLite file and origin. Nothing in Sluice
imports it and it imports nothing of Sluice: the two meet over HTTP, as strangers do. It holds no real person's data.
"""
