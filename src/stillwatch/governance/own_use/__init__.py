"""Audit of our own use of other providers' models: what our people and services sent, to whom, and under which settings.

Takes exchanges as intake gives them, a policy, and rules for secrets. Gives findings with kind, masked text, keyed fingerprint and place.
Promises that no secret and no prompt stands in a finding, and that a finding keeps its fingerprint from audit to audit.
"""
