"""Formats: one file per log format, told apart by content.

Takes the structure of one record of a source. Gives flat rows by the public column names, and for formats whose exchange is
spread over several lines a joiner that puts it together. Promises that typing, times and quarantine are not decided here but
once, for all formats, in `exchange_batch`.
"""
