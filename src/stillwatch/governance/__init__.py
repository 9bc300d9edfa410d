"""Governance: posture and drills, the audit of our own use, and the legal watch.

Takes what the system itself recorded. Gives statements that are measured, attested with an end, or open. Promises no score and no
questionnaire.
"""
