"""Captions word by word (Selvaraju et al. 2019, Sec. 8.1), with the names of neurons.

Answers to questions need nothing of their own: ``network.asked(question)`` is a classifier, or a captioner if it writes
its answers, see :mod:`dissection.networks.language` and :mod:`dissection.networks.answer_writing`.
"""
