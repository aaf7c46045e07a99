"""Concept data: photographs whose pixels are labelled, read, checked, joined, converted and fetched.

What is counted of them belongs in :mod:`dissection.engine`; drawing scenes belongs in :mod:`dissection.scenes`.
"""
