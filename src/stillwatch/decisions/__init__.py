"""Decisions: from a campaign and the terms that its accounts accepted to what is done about it.

Takes contract clauses as YAML facts, acceptances and campaigns. Gives Cedar policies, decisions with their reasons, and enforcement
bundles. Promises that no action but `allow` is without a clause of a contract that the account accepted, that a denial names every
breached clause in sorted order, that more evidence never leads to a milder action, and that an evaluation is replayed bit for bit.
"""
