"""The one door out to banks: deadline, size caps, address guard, strict JSON, redaction, HTTP -> BankError.

`client` speaks to a bank, `exchanges` has what a call may cost and what is told of it, `answers` what came back.
"""
