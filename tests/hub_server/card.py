"""``validate-yaml``: what the Hub's validator says about a card's front matter, in the main."""

from __future__ import annotations

import re
from typing import Any

import yaml

FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)
_LICENCES = (
    "afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause "
    "bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 "
    "cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 "
    "cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 "
    "cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 "
    "eupl-1.1 gemma gfdl gpl gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 "
    "llama3.1 llama3.2 llama3.3 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 "
    "openrail openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl zlib"
)
_SIZES = (
    "n<1K 1K<n<10K 10K<n<100K 100K<n<1M 1M<n<10M 10M<n<100M 100M<n<1B 1B<n<10B 10B<n<100B "
    "100B<n<1T n>1T"
)
LICENCES, SIZES = frozenset(_LICENCES.split()), frozenset(_SIZES.split())


def validate(content: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors, which refuse a card, and warnings, which do not."""
    found = FRONT_MATTER.match(content)
    if found is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        fields = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"Invalid YAML front matter: {error}"], []
    if not isinstance(fields, dict):
        return ["The front matter is no mapping"], []
    errors = [*_words(fields), *_listed(fields, kind), *_configs(fields)]
    licence = fields.get("license")
    if licence == "other" and not {"license_name", "license_link"} & fields.keys():
        return errors, ['"license: other" goes with "license_name" and "license_link"']
    return errors, []


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _words(fields: dict[Any, Any]) -> list[str]:
    """Fields that are a string or a list of strings; lists that must be lists."""
    errors = []
    for name in ("tags", "task_categories", "task_ids", "language", "license", "size_categories"):
        values = _as_list(fields.get(name, []))
        if not all(isinstance(value, str) for value in values):
            errors.append(f'"{name}" must be strings')
    for name in ("tags", "task_categories", "task_ids"):
        if not isinstance(fields.get(name, []), list):
            errors.append(f'"{name}" must be an array')
    return errors


def _listed(fields: dict[Any, Any], kind: str) -> list[str]:
    """Values that must be on a list of the Hub's."""
    errors = [
        f'"license" must be one of the Hub\'s identifiers, not {value!r}'
        for value in _as_list(fields.get("license", []))
        if isinstance(value, str) and value not in LICENCES
    ]
    if kind == "dataset":
        errors += [
            f'"size_categories" must be one of the Hub\'s, not {value!r}'
            for value in _as_list(fields.get("size_categories", []))
            if isinstance(value, str) and value not in SIZES
        ]
    return errors + [
        f'"language" must be an ISO 639 code, not {value!r}'
        for value in _as_list(fields.get("language", []))
        if isinstance(value, str) and re.fullmatch("[a-z]{2,3}(-[A-Za-z0-9]+)*", value) is None
    ]


def _configs(fields: dict[Any, Any]) -> list[str]:
    """``configs``: an array of mappings with different names."""
    configs = fields.get("configs", [])
    if not isinstance(configs, list) or not all(isinstance(item, dict) for item in configs):
        return ['"configs" must be an array of mappings']
    names = [item.get("config_name") for item in configs]
    if not all(isinstance(name, str) for name in names):
        return ['"configs" needs a "config_name" each']
    if len(set(names)) < len(names):
        return ['"configs" names a config twice']
    if sum(item.get("default") is True for item in configs) > 1:
        return ['"configs" has more than one default']
    return []
