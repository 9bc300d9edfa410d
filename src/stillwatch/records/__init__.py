"""Records: what flows between the stages. Frozen, keyword-only, standard library only.

Takes nothing. Gives the types that every stage reads and writes, and the column schemas of every table.
Promises that no stage needs to import another stage to understand what it receives.
"""
