"""One real site for all tests here, emptied before each. Skipped where it cannot be installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.django_helpdesk.client import DjangoHelpdesk
from connectors.sandbox.company import load_company

from ...e2e.django_helpdesk.real import NotInstallableError, RealSite
from .desk import SiteDesk


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    try:
        with RealSite(tmp_path_factory.mktemp("site")) as site:
            site.fill(load_company(), tickets=0)
            yield site
    except NotInstallableError as error:
        pytest.skip(str(error))


@pytest.fixture
def site(real_site: RealSite) -> RealSite:
    real_site.run("Ticket.objects.all().delete()\nCustomField.objects.all().delete()\nmail.outbox = []")
    return real_site


@pytest.fixture
def desk(site: RealSite) -> Iterator[SiteDesk]:
    with SiteDesk(site) as desk:
        yield desk


@pytest.fixture
def helpdesk(desk: SiteDesk) -> DjangoHelpdesk:
    opened = desk.helpdesk()
    assert isinstance(opened, DjangoHelpdesk)
    return opened
