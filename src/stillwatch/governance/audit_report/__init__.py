"""The audit report: one period of the ledger, told for whoever audits.

Takes the evidence at the end of a period, its posture, and findings of own use. Gives a JSON document, a page and a PDF. Promises that the same
ledger, period and files give the same bytes, and that nothing is said of text or persons beyond the names that acted.
"""
