"""The operator's own pages: Django's admin behind a second factor. No customer data."""
