"""How true sentences are: what they mention, what is measured of each, and the rows of the table that sums it up.

:class:`neuronexplain.evaluation.protocols.words.Words` puts it together.
"""
