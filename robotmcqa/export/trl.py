"""TRL: conversations and pictures as its GRPO, RLOO and SFT trainers read them.

The content of a message is plain text. TRL puts the pictures before it; typed parts would come
back from Arrow with an ``image: None`` in each text part, which chat templates take for pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from robotmcqa.export.format import Format, Plan, Row, completion_of
from robotmcqa.export.parquet import IMAGES, STRINGS

__all__ = ["FORMAT"]

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def _columns(plan: Plan) -> Mapping[str, pa.DataType]:
    return {
        "prompt": _MESSAGES,
        **({"images": IMAGES} if plan.pictures else {}),
        **({"completion": _MESSAGES} if plan.completion else {}),
        "solution": pa.string(),
        "options": STRINGS,
        **dict.fromkeys(("id", "family", "task", "motion"), pa.string()),
    }


def _convert(row: Row, plan: Plan) -> dict[str, Any]:
    made = {
        "prompt": [{"role": "user", "content": row["question"]}],
        "images": row["images"],
        "solution": row["answer"],
        **{name: row[name] for name in ("options", "id", "family", "task", "motion")},
    }
    if plan.completion:
        made["completion"] = [{"role": "assistant", "content": completion_of(row, plan)}]
    return made


def _guide(plan: Plan) -> str:
    if plan.completion:
        return """\
`trl sft` learns the column `completion`; `prompt` is what it answers:

```sh
trl sft --dataset_name FOLDER --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct \\
    --max_length null --output_dir sft
```
"""
    reward = "robotmcqa.scoring.l1_reward" if plan.open_ended else "robotmcqa.scoring.answer_reward"
    return f"""\
Columns go to the reward functions by name; `solution` is the right answer.

```sh
trl grpo --dataset_name FOLDER --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct \\
    --reward_funcs robotmcqa.scoring.format_reward {reward} \\
    --reward_weights 0.5 0.5 --num_generations 5 --per_device_train_batch_size 10 \\
    --output_dir grpo
```
"""


FORMAT = Format(
    title="TRL",
    convert=_convert,
    guide=_guide,
    completions=(None, "cot", "direct"),
    columns=_columns,
)
