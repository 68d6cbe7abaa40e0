"""Pages in two languages: which page is whose, and whether the code in both is the same.

A Korean page shows the code of its English page, so that it fails when that has changed, until it follows. Comments and
strings may be in Korean. Where the strings of a page are the same, too, one of the two has to run.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.pages import CONSOLE, PYTHON, Block, blocks, commands

KOREAN = ".ko.md"
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def twin(page: Path) -> Path:
    """The page in the other language, whether it is there or not."""
    if page.name.endswith(KOREAN):
        return page.with_name(page.name.removesuffix(KOREAN) + ".md")
    return page.with_name(page.stem + KOREAN)


def runs_as_its_twin(page: Path) -> bool:
    """Whether a Korean page's Python is that of its English one, strings and all, so that one of the two has to run."""
    if not page.name.endswith(KOREAN) or not twin(page).exists():
        return False
    own, other = (
        [ast.dump(_Bare().visit(ast.parse(block.text))) for block in blocks(each) if block.language == PYTHON]
        for each in (page, twin(page))
    )
    return own == other


def difference(korean: Path) -> str | None:
    """Where a Korean page's blocks are not those of its English page, as a sentence that says what to do."""
    own, other = blocks(korean), blocks(twin(korean))
    for mine, theirs in zip(own, other, strict=False):
        if _essence(mine) != _essence(theirs):
            return (
                f"{mine.where}: this block is not that of {theirs.where}; the code of both languages is the same but "
                "for comments and strings, so let the Korean page follow the English one, text and all"
            )
    if len(own) != len(other):
        return (
            f"{korean.name} has {len(own)} blocks of code and {twin(korean).name} has {len(other)}; "
            "let the Korean page follow the English one, text and all"
        )
    return None


def _essence(block: Block) -> tuple[object, ...]:
    """What a block and its twin have in common: what runs it, and its text without comments and strings."""
    return block.language, block.run, bool(block.skip), _text(block)


def _text(block: Block) -> object:
    if block.language == PYTHON:
        return ast.dump(_Mute().visit(_Bare().visit(ast.parse(block.text))))
    if block.language in CONSOLE:
        return commands(Block(block.page, block.language, block.line, _QUOTED.sub("''", block.text)))
    return None if block.language in ("", "text") else block.text


class _Bare(ast.NodeTransformer):
    """Code without docstrings; a parser leaves the comments out."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without(node)

    def _without(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
        return self.generic_visit(node)


class _Mute(ast.NodeTransformer):
    """Code whose strings say nothing."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.JoinedStr([self.visit(part) for part in node.values if isinstance(part, ast.FormattedValue)])
