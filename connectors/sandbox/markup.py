"""Between plain text, Markdown and the small set of HTML that a helpdesk keeps."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_BLOCKS = {
    *("p", "div", "ul", "ol", "li", "blockquote", "pre", "table", "thead", "tbody", "tr"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
}
_INLINE = {"a", "b", "strong", "i", "em", "u", "s", "code", "span", "small", "sub", "sup", "td", "th"}
_VOID = {"br", "hr"}
_SILENT = {"script", "style", "head", "title", "template", "iframe", "object"}
_UNEVEN = re.compile(r"[^\S\n ]|  | \n|\n |\n{3}")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


class _Cleaner(HTMLParser):
    """Keeps an allow-list of tags, drops every attribute but a link's http(s) or mailto target."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        if self.silent:
            return
        if tag in _VOID:
            self.parts.append(f"<{tag}>")
            self.words.append("\n" if tag == "br" else "\n---\n")
        elif tag in _BLOCKS or tag in _INLINE:
            target = dict(attrs).get("href") or ""
            safe = tag == "a" and re.match(r"(https?://|mailto:)", target, re.IGNORECASE)
            self.parts.append(f'<a href="{html.escape(target)}" rel="noopener">' if safe else f"<{tag}>")
            self.open.append(tag)
            self.words.append("\n- " if tag == "li" else "\n" if tag in _BLOCKS else "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(0, self.silent - 1)
        elif not self.silent and tag in self.open:
            while self.open:
                closing = self.open.pop()
                self.parts.append(f"</{closing}>")
                self.words.append("\n\n" if closing in {"p", "blockquote", "pre"} else "\n" if closing == "div" else "")
                if closing == tag:
                    break

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(html.escape(data, quote=False))
            self.words.append(data if "pre" in self.open else re.sub(r"\s+", " ", data))

    def finish(self) -> tuple[str, str]:
        self.close()
        while self.open:
            self.parts.append(f"</{self.open.pop()}>")
        text = re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(self.words))
        return "".join(self.parts), re.sub(r"\n{3,}", "\n\n", text).strip()


def clean_html(source: str) -> tuple[str, str]:
    """Reduce HTML to the tags a comment may hold; returns ``(html, plain text)``.

    The agent's page shows this HTML on the sandbox's own origin, so scripts and handlers must not survive.
    """
    cleaner = _Cleaner()
    cleaner.feed(source)
    return cleaner.finish()


def plain_text(body: str) -> str:
    """What `clean_html` makes of a plain text that was turned into HTML: even blanks, at most one empty line at a time.

    Most bodies are even already, and looking is a hundred times quicker than parsing their HTML again.
    """
    if not _UNEVEN.search(body):
        return body.strip()
    text = re.sub(r" *\n *", "\n", re.sub(r"[^\S\n]+", " ", body))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def text_to_html(text: str) -> str:
    """Plain text as HTML: a paragraph per empty line, ``<br>`` per line break, everything escaped."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "".join(f"<p>{html.escape(one, quote=False).replace(chr(10), '<br>')}</p>" for one in paragraphs if one)


def wrap_comment(inner: str) -> str:
    """The frame that Zendesk puts around every comment's HTML."""
    return f'<div class="zd-comment" dir="auto">{inner}</div>'


def markdown_to_html(markdown: str) -> str:
    """An article's Markdown (CommonMark and tables, raw HTML escaped) as HTML."""
    return str(_MARKDOWN.render(markdown))
