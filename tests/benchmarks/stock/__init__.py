"""The same page as most people would build it: Django REST framework and django-oauth-toolkit, by their tutorials.

A Django project of its own, with its own tables. It is kinder than what `startproject` gives in one thing: connections
to the database are kept (CONN_MAX_AGE). It keeps no log of reads and counts no requests.
"""
