"""The user's pages: connect a bank, give, see and stop consent."""
