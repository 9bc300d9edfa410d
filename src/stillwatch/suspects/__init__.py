"""Suspects: exact tests of what a model was trained on, and on whose answers.

Takes a plan that was committed before the first query, access to a suspect, and what was served. Gives claims about four questions that are
never mixed. Promises that every claim has its null hypothesis and its controls, and that bad access makes it inconclusive.
"""
