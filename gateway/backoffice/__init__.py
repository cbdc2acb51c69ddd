"""The bank's console: policies, platforms, revocation, traffic. No customer data."""
