"""Numbers in, names out: exact statistics of feature maps and labels, collected while they stream past.

No network runs here and no dataset file is read: code that does either belongs in :mod:`dissection.networks` or
:mod:`dissection.concepts`.
"""
