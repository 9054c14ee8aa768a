"""Evaluation: a model's answers to the questions of a data set, counted.

inspect-ai asks the models, retries, keeps logs and resumes; :mod:`~robotmcqa.evaluation.registry`
is what it finds by its entry point. Ours are the questions, the scorer (the parser of the rewards,
and no other), the baselines, and the honest figures (:mod:`~robotmcqa.evaluation.figures`).
``robotmcqa eval`` is :func:`robotmcqa.evaluation.run.evaluate`. Install with
``pip install 'robotmcqa[eval]'``.
"""

from __future__ import annotations

__all__: list[str] = []
