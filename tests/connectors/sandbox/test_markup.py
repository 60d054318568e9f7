from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.markup import clean_html, plain_text, text_to_html, wrap_comment


@pytest.mark.parametrize(
    ("source", "clean", "text"),
    [
        ("<p>a<br>b</p><p>c", "<p>a<br>b</p><p>c</p>", "a\nb\n\nc"),
        ("<ul><li>x</li><li>y</li></ul>", "<ul><li>x</li><li>y</li></ul>", "- x\n- y"),
        ('<a href="javascript:x">l</a>', "<a>l</a>", "l"),
        (
            '<a href="https://x/?a=1&amp;b" onclick="y">l</a>',
            '<a href="https://x/?a=1&amp;b" rel="noopener">l</a>',
            "l",
        ),
        ("<img src=x onerror=y>t<script>z</script>", "t", "t"),
        ("<b>un</i>closed", "<b>unclosed</b>", "unclosed"),
        ("1 &lt; 2", "1 &lt; 2", "1 < 2"),
    ],
)
def test_clean_html(source: str, clean: str, text: str) -> None:
    assert clean_html(source) == (clean, text)


@settings(max_examples=40, deadline=None)  # two shared cores: enough to find a hole, short enough to run always
@given(st.text())
def test_nothing_dangerous_survives(source: str) -> None:
    clean, _ = clean_html(source)
    assert clean_html(clean)[0] == clean
    assert "<script" not in clean.lower()


@settings(max_examples=40, deadline=None)  # two shared cores: enough to find a hole, short enough to run always
@given(st.text(alphabet="ab <>&\n\"'"))
def test_text_survives_the_way_to_html_and_back(text: str) -> None:
    assert clean_html(text_to_html(text))[1].split() == text.split()


@given(st.text(alphabet="ab \n\t\r\xa0<&", max_size=30))
@settings(max_examples=300, deadline=None)
def test_plain_text_is_what_the_html_would_give(body: str) -> None:
    body = body.strip()  # as comments are stored
    assert plain_text(body) == clean_html(wrap_comment(text_to_html(body)))[1]
