"""First Sandbox Bank: a pretend bank that speaks UK Open Banking Read/Write v4.0 over HTTP.

A Django project of its own: own settings, own SQLite file, own process, own origin. Nothing in Sluice imports it and it
imports nothing of Sluice: the two meet over HTTP, as strangers do. It holds no real person's data.
"""
