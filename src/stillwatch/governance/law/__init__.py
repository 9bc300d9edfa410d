"""The legal watch: a dated, graded register, readers of its sources, and the work that a change opens.

Takes the register's YAML, and what sources publish, fetched or dropped into a folder. Gives notices, changes and open work. Promises that
what two sources say differently stays visible, that nothing that a source says rewrites the register by itself, and that a state that only
flaps opens no work.
"""
