"""Style distance: whether a classifier can tell drafts from what the team sends."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from trainer.replies.claims import statements

FOLDS = 5
_SLOT = re.compile(r"\{\{\s*([a-z_]+?)(?:_\d+)?\s*\}\}")


def neutral(text: str) -> str:
    """The text with its facts as kinds: a draft's blank and the date that was sent in its place are the same style."""
    parts: list[str] = []
    position = 0
    for statement in statements(text):
        parts += [text[position : statement.start], f"[{statement.kind}]"]
        position = statement.end
    return _SLOT.sub(r"[\1]", "".join([*parts, text[position:]])).replace("_", " ")


def style_auc(drafts: Sequence[str], sent: Sequence[str], *, seed: int = 0) -> float | None:
    """Area under the ROC curve of a classifier of words and letters, on tickets that it was not trained on.

    0.5 means that it cannot tell drafts from sent replies, 1 that it always can. Draft and reply of one ticket are in
    the same fold, so that what the ticket is about gives nothing away.

    Args:
        drafts: One for each ticket; empty ones are left out with their replies.
        sent: What the team sent there.

    Returns:
        None with fewer than twice as many tickets as folds.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline, make_union
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    pairs = [(neutral(draft), neutral(reply)) for draft, reply in zip(drafts, sent, strict=True) if draft.strip()]
    if len(pairs) < 2 * FOLDS:
        return None
    found = np.zeros((len(pairs), 2))
    with threadpool_limits(1, user_api="blas"):
        for train, held_out in KFold(FOLDS, shuffle=True, random_state=seed).split(pairs):
            features = make_union(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),  # noqa: S106
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
            )
            model = make_pipeline(features, LogisticRegression(C=10.0, max_iter=1000))
            texts = [text for row in train for text in pairs[row]]
            model.fit(texts, [1, 0] * len(train))
            said = model.predict_proba([text for row in held_out for text in pairs[row]])[:, 1]
            found[held_out] = said.reshape(-1, 2)
    truth = np.tile([1, 0], len(pairs))
    return float(roc_auc_score(truth, found.reshape(-1)))
