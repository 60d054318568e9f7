"""A trained version at work: the ticket's own name, named sources, silence, and no group that is gone."""

import pytest


@pytest.mark.weights
def test_x(home):
    print(home.training_s)
    print(home.trained.report)
    print(home.trained.training)
    print(home.trained.manifest)
