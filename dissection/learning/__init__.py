"""Learns dictionaries: one pass over photographs gathers places of a layer's maps, and the rest is done in minutes.

``positions`` gathers, ``sparse`` finds features that few of which make up each place, ``directions`` finds those that
tell labelled concepts apart, ``checking`` says how much of a network a dictionary holds.
"""
