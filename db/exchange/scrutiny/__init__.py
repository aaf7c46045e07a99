"""Checks of a run that another store made, beyond those of `db.agreement` for our own runs: it may lie."""
