"""Honest customers, the look-alikes of campaigns among them.

Takes a count and a setting. Gives a cohort per class.
Promises that nothing here harvests without leave, whatever it looks like.
"""
