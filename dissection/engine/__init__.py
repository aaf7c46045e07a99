"""Numbers in, names out: what is counted of feature maps and labels while they stream past, exactly.

No network runs here, no file of a dataset is read: whatever does either belongs in :mod:`dissection.networks` or
:mod:`dissection.concepts`.
"""
