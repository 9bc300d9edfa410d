"""Posture: what is known of each control that speaks of model theft.

Takes a catalogue of controls, what the ledger holds, and attestations. Gives one of four words for each control, with its reason. Promises no
score: a control is measured and holds, measured and fails, attested by somebody until a day, or not covered.
"""
