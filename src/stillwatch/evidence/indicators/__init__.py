"""Indicators: what partners tell each other of a campaign, and what they find with it in their own data.

Takes campaigns with the identifiers and prompts behind them, and a key that the partners agreed on. Gives STIX 2.1 bundles and MISP
events, reads them back, and matches them against own data. Promises that no prompt, no account id and no identifier leaves in
any other form than a keyed digest, and that an expired set is not matched.
"""
