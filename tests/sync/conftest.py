"""Both sandboxes on loopback, an org with our package, and the engine over them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from cryptography.fernet import Fernet

from worker import bootstrap
from worker.domain.state import ConnectionStatus
from worker.salesforce.deploy import assign_permission_set, deploy
from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.salesforce import SalesforceSandbox
from worker.sandbox.server import run_in_thread
from worker.settings import Settings

SECRET_KEY = Fernet.generate_key().decode()


@pytest.fixture
def sides():
    """Yield (aurora sandbox, its URL, salesforce sandbox, its URL)."""
    aurora, salesforce = AuroraSandbox(seed=1), SalesforceSandbox(seed=1)
    with (
        run_in_thread(aurora.app) as aurora_url,
        run_in_thread(salesforce.app) as salesforce_url,
    ):
        yield aurora, aurora_url, salesforce, salesforce_url


@pytest.fixture
def community(sides):
    return sides[0].community


@pytest.fixture
def org(sides):
    return sides[2].org


@pytest.fixture
def settings(sides, database_url, tmp_path):
    aurora, aurora_url, salesforce, salesforce_url = sides
    member, app = aurora.credentials(aurora_url), salesforce.credentials(salesforce_url)
    return Settings(
        _env_file=None,
        home=tmp_path,
        database_url=database_url,
        secret_key=SECRET_KEY,
        aurora={
            "base_url": aurora_url,
            "community": "demo",
            "auth": "session",
            "username": member["username"],
            "password": member["password"],
            "requests_per_second": 1000,
            "page_size": 7,
        },
        salesforce={
            "login_url": salesforce_url,
            "auth": "client_credentials",
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
        },
    )


@pytest.fixture
def services_for():
    """Make services over the given settings, as a process of its own would."""
    with ExitStack() as stack:

        def make(settings, **given):
            services = bootstrap.build(settings, **given)
            stack.callback(services.close)
            services.prepare()
            services.store.communities.set_status(
                services.community, ConnectionStatus.ACTIVE, ""
            )
            return services

        yield make


@pytest.fixture
def services(services_for, settings):
    services = services_for(settings)
    install_package(services)
    return services


def install_package(services):
    client = services.salesforce()
    with services._login_session() as session:
        connection = client.connection()
        report = deploy(connection, check_only=False, session=session)
        assert report.succeeded, report.failures
        user = client.identity().user_id
        assign_permission_set(connection, session, "Aurora_Sync", user)


@pytest.fixture
def sync(services):
    """Run the members stream here and now; return its report."""
    return lambda **asked: perform(services, **asked)


def perform(services, **asked):
    run = services.sync.request("members", trigger="cli", **asked)
    return services.sync.perform(run.id)


@pytest.fixture
def change_settings(services):
    return lambda **changes: services.store.communities.change_settings(
        services.community, changes
    )


@pytest.fixture
def users(org):
    """Return the org's member records by member id."""

    def read():
        found = org.records("Community_User__c")
        rows = {int(row["Khoros_User_ID__c"]): row for row in found}
        assert len(rows) == len(found), "one record per member"
        return rows

    return read
