"""Terms: clauses as YAML facts, read with their places, and refused where they cannot be meant.

Takes the bytes of a YAML file and of the contract text. Gives a `Terms` record, or every problem at once. Promises that each problem
names file, line and column, shows the line with a caret, and says what to do.
"""
