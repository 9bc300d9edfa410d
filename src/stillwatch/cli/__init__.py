"""The command line: one module per verb.

Takes arguments. Gives tables and sentences for people, or exactly one JSON document with `--json`, and an exit code.
Promises that every verb says what it writes, that an error is a message and not a traceback, and that prompt text is
neither printed nor logged.
"""
