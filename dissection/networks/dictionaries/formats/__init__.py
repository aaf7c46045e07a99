"""Dictionaries that other tools have learned: a module per tool, each of which reads one of its folders or files.

What is subtracted or scaled before or after the encoding is folded into the tensors, so that every dictionary computes
alike; an option that cannot be folded is refused by its name.
"""
