"""Two runs compared: what changed in names, in what matters for classes, in sentences, and in what scores rest on.

Nothing is said to have changed where noise may have done it: each figure has an interval, and so has each difference.
"""
