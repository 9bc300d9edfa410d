"""Access: how a suspect or a control is asked.

Takes queries. Gives observations, and keeps every request and answer raw. Promises that an access says what it can do before it is asked, that a
query which gave nothing says why, and that a key is read from a file or the environment only and written nowhere.
"""
