"""Checks: one module each, from evidence to what it shows of a control.

Takes the evidence of one moment. Gives whether something holds, fails, or cannot be said. Promises that nothing holds for want of evidence.
"""
