"""LLaVA's conversations, a line of JSON each, with picture files: VLM-R1 and many others.

VLM-R1 takes what the assistant says for the solution, so that by default it says the right answer
and nothing else.
"""

from __future__ import annotations

from typing import Any

from robotmcqa.export.format import IMAGE_MARKER, Format, Plan, Row, completion_of, picture_paths

__all__ = ["FORMAT"]


def _convert(row: Row, plan: Plan) -> dict[str, Any]:
    paths = picture_paths(row)
    shown = {"image": paths[0] if len(paths) == 1 else paths} if paths else {}
    asked = f"{IMAGE_MARKER}\n" * len(paths) + row["question"]
    return {
        "id": row["id"],
        **shown,
        "conversations": [
            {"from": "human", "value": asked},
            {"from": "gpt", "value": completion_of(row, plan)},
        ],
        **{name: row[name] for name in ("options", "family", "task")},
    }


def _guide(plan: Plan) -> str:
    if plan.completion != "solution":
        return """\
`train.jsonl` holds conversations as LLaVA and what descends from it read them; `image` is a path
relative to this folder, or a list of such paths.
"""
    reward = "l1_reward" if plan.open_ended else "answer_reward"
    return f"""\
For VLM-R1. Its own accuracy reward does not know the form `[[A]]`: below the table of rewards in
its `grpo_jsonl.py` write

```python
from robotmcqa import scoring

reward_funcs_registry["robotmcqa"] = scoring.{reward}
reward_funcs_registry["robotmcqa_format"] = scoring.format_reward
```

```sh
python src/open_r1/grpo_jsonl.py --data_file_paths FOLDER/train.jsonl --image_folders FOLDER \\
    --reward_funcs robotmcqa robotmcqa_format \\
    --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct --output_dir grpo
```

VLM-R1 takes a `:` in a path for its end.
"""


FORMAT = Format(
    title="VLM-R1, LLaVA",
    convert=_convert,
    guide=_guide,
    completions=("solution", "cot", "direct"),
)
