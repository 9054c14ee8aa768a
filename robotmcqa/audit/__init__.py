"""The blind audit: how well can the answers be guessed without the picture?

:func:`audit` reads a data set's options, letters and stated positions, never its pictures, and
lets several guessers try. What they reach above chance is what a model can learn without looking.
See docs/distractors.md for what the audit cannot see.
"""

from __future__ import annotations

from robotmcqa.audit.draw import FEW_QUESTIONS, MOST_QUESTIONS, Drawn, drawn_of
from robotmcqa.audit.report import (
    LEARNED,
    Audit,
    FamilyAudit,
    audit,
    audit_table,
    audit_tables,
    verdict,
)
from robotmcqa.audit.table import COLUMNS, Table, tables_of

__all__ = [
    "COLUMNS",
    "FEW_QUESTIONS",
    "LEARNED",
    "MOST_QUESTIONS",
    "Audit",
    "Drawn",
    "FamilyAudit",
    "Table",
    "audit",
    "audit_table",
    "audit_tables",
    "drawn_of",
    "tables_of",
    "verdict",
]
