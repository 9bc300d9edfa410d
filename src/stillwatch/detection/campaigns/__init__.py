"""Campaigns: candidate groups tested against every innocent explanation, selected at the promised rate.

Takes candidate groups. Gives claims, explanations, findings and members. Promises that every decision rests on a claim.
"""
