"""Campaigns: operators who harvest the model through pools of accounts.

Takes a size and a setting. Gives a cohort per campaign.
Promises that every campaign draws its own infrastructure, rhythm, parameters and texts.
"""
