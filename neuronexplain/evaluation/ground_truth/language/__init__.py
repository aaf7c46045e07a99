"""Photographs that people describe or ask about: captions, questions with answers, and what words mean."""
