"""What a completion is worth. One parser, for rewards and for evaluation.

The functions here take what TRL hands to a reward function, so that their dotted paths are
enough: ``trl grpo --reward_funcs robotmcqa.scoring.combined_reward``. EasyR1 and verl load files:
:mod:`robotmcqa.scoring.easyr1` and :mod:`robotmcqa.scoring.verl`.
"""

from __future__ import annotations

from robotmcqa.scoring.agreement import agrees
from robotmcqa.scoring.completion import Completion, parse_completion
from robotmcqa.scoring.letters import letter_of
from robotmcqa.scoring.positions import l1_score, position_of
from robotmcqa.scoring.rewards import (
    answer_reward,
    combined_reward,
    format_reward,
    l1_reward,
    ungated_answer_reward,
)

__all__ = [
    "Completion",
    "agrees",
    "answer_reward",
    "combined_reward",
    "format_reward",
    "l1_reward",
    "l1_score",
    "letter_of",
    "parse_completion",
    "position_of",
    "ungated_answer_reward",
]
