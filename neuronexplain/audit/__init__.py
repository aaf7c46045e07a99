"""Audits: what a network gets wrong, what it leans on, and whether it leans on what it should.

Nothing here prints or reads options. An audit takes a network with a database of its names, photographs, and perhaps
masks, and returns frozen values that pages, tables and rules are made from.
"""
