"""Links: accounts that share rare attributes, as groups to look at.

Takes the sample. Gives candidate groups. Promises linear cost, and that popular values merge nobody.
"""
