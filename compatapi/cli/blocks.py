"""Markdown that is still being written: where its blocks end, and how one looks.

CommonMark is read line by line, and a block that another one follows never changes again. So all blocks but the last
can be shown for good. What would make two blocks depend on each other, link definitions, is left as it is written.
"""

from __future__ import annotations

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.markdown import Markdown

__all__ = ["markdown", "split", "tail"]

# Off are all rules by which something that a model wrote would not be shown: HTML (and with it "List<String>"), the
# addresses of pictures, definitions of links. What is off is shown as it is written.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["autolink", "image", "reference"])
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines knows more line ends than CommonMark does
_FENCE = re.compile(r" {0,3}(?:`{3,}|~{3,})")
_TABLE_RULE = re.compile(r"[ |:]*-[-| :]*")


def split(text: str, *, is_whole: bool = False) -> list[str]:
    """Cut Markdown into its blocks. Unless the text is whole, the last one may still grow; the others are finished.

    Only whole lines end a block: "#" may become a heading that ends the paragraph above it, or "#tag", which does not.
    """
    lines = _LINE.findall(text)
    ended = lines if is_whole or text.endswith("\n") else lines[:-1]
    starts = [token.map[0] for token in _PARSER.parse("".join(ended)) if _is_block(token) and token.map]
    edges = [0, *starts[1:], len(lines)]
    return ["".join(lines[start:end]) for start, end in pairwise(edges)]


def tail(block: str, height: int) -> str:
    """The end of a block, with what tells its kind: more lines than fit on a screen need not be looked at."""
    lines = _LINE.findall(block)
    if len(lines) <= height:
        return block
    head = 0
    if _FENCE.match(block):
        head = 1
    elif _TABLE_RULE.fullmatch(lines[1].strip()):
        head = 2
    return "".join(lines[:head] + lines[-height:])


def markdown(text: str, *, dim: bool = False) -> Markdown:
    """The text as rich shows it.

    Two things differ from rich's own reading. Lines stay lines, as models mean them in verse and in addresses. And
    the address of a link stands behind its text, so that nobody is led elsewhere unawares.
    """
    # rich 15 takes no parser; what it has parsed is a public attribute.
    shown = Markdown("", code_theme="ansi_dark", hyperlinks=False, style="dim" if dim else "none")
    shown.parsed = _PARSER.parse(text)
    for token in shown.parsed:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return shown


def _is_block(token: Token) -> bool:
    return token.level == 0 and token.nesting >= 0
