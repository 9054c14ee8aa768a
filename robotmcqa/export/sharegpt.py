"""ShareGPT-like conversations with picture files, as LLaMA-Factory reads them."""

from __future__ import annotations

from typing import Any

from robotmcqa.export.format import IMAGE_MARKER, Format, Plan, Row, completion_of, picture_paths

__all__ = ["FORMAT"]


def _convert(row: Row, plan: Plan) -> dict[str, Any]:
    paths = picture_paths(row)
    return {
        "messages": [
            {"role": "user", "content": IMAGE_MARKER * len(paths) + row["question"]},
            {"role": "assistant", "content": completion_of(row, plan)},
        ],
        **({"images": paths} if paths else {}),
        **{name: row[name] for name in ("id", "family", "task")},
    }


def _documents(plan: Plan) -> dict[str, Any]:
    """``dataset_info.json``: where LLaMA-Factory finds what."""
    columns = {"messages": "messages", **({"images": "images"} if plan.pictures else {})}
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    return {
        "dataset_info.json": {
            f"robotmcqa_{split}": {
                "file_name": FORMAT.file_of(split),
                "formatting": "sharegpt",
                "columns": columns,
                "tags": tags,
            }
            for split in plan.splits
        }
    }


def _guide(plan: Plan) -> str:
    test = "eval_dataset: robotmcqa_test\n" if "test" in plan.splits else ""
    return f"""\
In LLaMA-Factory's configuration (`llamafactory-cli train x.yaml`):

```yaml
model_name_or_path: Qwen/Qwen2.5-VL-7B-Instruct
stage: sft
template: qwen2_vl
dataset_dir: FOLDER
media_dir: FOLDER
dataset: robotmcqa_train
{test}cutoff_len: 4096
```
"""


FORMAT = Format(
    title="LLaMA-Factory",
    convert=_convert,
    guide=_guide,
    completions=("cot", "direct"),
    documents=_documents,
)
