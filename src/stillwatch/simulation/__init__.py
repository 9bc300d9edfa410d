"""Simulation: LLM API traffic with planted campaigns, honest look-alikes and the truth about both.

Takes settings and a seed. Gives traffic files in the generic flat layout, account facts, a release calendar and `truth.parquet`.
Promises that equal settings give equal bytes, that no single field gives campaigns away (tested), and that it shares no
code with the detector beyond `records`.
"""
