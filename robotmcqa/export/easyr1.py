"""EasyR1: a problem with a marker for each picture, the pictures, and the answer.

Further columns are texts: EasyR1 batches every column as an array of objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from robotmcqa.export.format import IMAGE_MARKER, Format, Plan, Row
from robotmcqa.export.parquet import IMAGES

__all__ = ["FORMAT"]

_ALONGSIDE = ("id", "family", "task")


def _columns(plan: Plan) -> Mapping[str, pa.DataType]:
    return {
        "problem": pa.string(),
        **({"images": IMAGES} if plan.pictures else {}),
        "answer": pa.string(),
        **dict.fromkeys(_ALONGSIDE, pa.string()),
    }


def _convert(row: Row, plan: Plan) -> dict[str, Any]:
    return {
        "problem": IMAGE_MARKER * len(row["images"]) + row["question"],
        "images": row["images"],
        "answer": row["answer"],
        **{name: row[name] for name in _ALONGSIDE},
    }


def _guide(plan: Plan) -> str:
    variant = "_open" if plan.open_ended else ""
    validation = "test" if "test" in plan.splits else "train"
    return f"""\
Where EasyR1 is installed, install robotmcqa too: the reward function is loaded from it. The prompt
says by itself how to answer, so that EasyR1's own `format_prompt` is to be switched off. Versions
of EasyR1 that do not read the kind of a reward from its file also want
`worker.reward.reward_type=batch`.

```sh
python3 -m verl.trainer.main config=examples/config.yaml \\
    data.train_files=FOLDER/train.parquet \\
    data.val_files=FOLDER/{validation}.parquet \\
    data.prompt_key=problem data.answer_key=answer data.image_key=images \\
    data.format_prompt=null \\
    worker.reward.reward_function="$(python3 -m robotmcqa.scoring.easyr1){variant}" \\
    worker.actor.model.model_path=Qwen/Qwen2.5-VL-7B-Instruct
```

EasyR1 takes an `@` in a path for the beginning of a split's name.
"""


FORMAT = Format(
    title="EasyR1",
    convert=_convert,
    guide=_guide,
    completions=(None,),
    columns=_columns,
)
