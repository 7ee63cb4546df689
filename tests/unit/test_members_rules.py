from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.feature_settings import FeatureSettings
from worker.domain.members import (
    Action,
    LinkChoice,
    Sighting,
    breaks,
    choose_link,
    decide_member,
    needs_candidates,
)
from worker.domain.state import ContactLink, MemberLink, MemberState

ADA, BYRON = b"ada's e-mail key", b"byron's mail key"
OLD, NEW = b"old fingerprint.", b"new fingerprint."
LINKING = FeatureSettings()
CREATING = FeatureSettings(create_new_contact=True)
APART = FeatureSettings(link_contacts=False)


def seen(email=ADA, *, deleted=False, fingerprint=OLD):
    return Sighting(deleted, email, fingerprint)


def known(contact=None, link=ContactLink.NONE, email=ADA, **values):
    usual = {
        "community_user_id": "a00",
        "fingerprint": OLD,
        "state": MemberState.SYNCED,
    }
    return MemberLink(
        41, contact_id=contact, contact_link=link, email_key=email, **(usual | values)
    )


NOBODY = LinkChoice(None, ContactLink.NONE)
LINKED = LinkChoice("003A", ContactLink.LINKED)


@pytest.mark.parametrize(
    ("sighting", "link", "candidates", "settings", "choice"),
    [
        # A member never seen before.
        (seen(), None, [], LINKING, NOBODY),
        (seen(), None, ["003A"], LINKING, LINKED),
        (seen(), None, ["003A", "003B"], LINKING,
         LinkChoice(None, ContactLink.AMBIGUOUS)),
        (seen(None), None, [], LINKING, LinkChoice(None, ContactLink.NO_EMAIL)),
        (seen(), None, [], CREATING,
         LinkChoice(None, ContactLink.CREATED, create=True)),
        (seen(), None, ["003A"], CREATING, LINKED),
        (seen(deleted=True), None, [], CREATING, NOBODY),
        (seen(), None, ["003A"], APART, NOBODY),
        # A link once made stays while the e-mail stays.
        (seen(), known("003A", ContactLink.LINKED), [], LINKING, LINKED),
        (seen(), known("003A", ContactLink.LINKED), ["003B"], LINKING, LINKED),
        # A changed e-mail is matched anew; without linking everything stays.
        (seen(BYRON), known("003A", ContactLink.LINKED), ["003B"], LINKING,
         LinkChoice("003B", ContactLink.LINKED)),
        (seen(BYRON), known("003A", ContactLink.LINKED), [], LINKING, NOBODY),
        (seen(None), known("003A", ContactLink.LINKED), [], LINKING,
         LinkChoice(None, ContactLink.NO_EMAIL)),
        (seen(BYRON), known("003A", ContactLink.LINKED), ["003B"], APART, LINKED),
        # A person's choice outlives a changed e-mail.
        (seen(BYRON), known("003A", ContactLink.ASSIGNED), ["003B"], LINKING,
         LinkChoice("003A", ContactLink.ASSIGNED)),
        # Ambiguous until one is left.
        (seen(), known(None, ContactLink.AMBIGUOUS), ["003A"], LINKING, LINKED),
        # A Contact that the org refused is not asked for again by itself.
        (seen(), known(None, ContactLink.REFUSED), [], CREATING,
         LinkChoice(None, ContactLink.REFUSED)),
        (seen(BYRON), known(None, ContactLink.REFUSED), [], CREATING,
         LinkChoice(None, ContactLink.CREATED, create=True)),
        (seen(), known(None, ContactLink.REFUSED), ["003A"], CREATING, LINKED),
    ],
)  # fmt: skip
def test_chooses_the_contact_without_guessing(
    sighting, link, candidates, settings, choice
):
    assert choose_link(sighting, link, candidates, settings) == choice


def test_tries_a_refused_contact_again_when_a_person_asks():
    choice = choose_link(
        seen(), known(None, ContactLink.REFUSED), [], CREATING, retrying=True
    )

    assert choice == LinkChoice(None, ContactLink.CREATED, create=True)


@pytest.mark.parametrize(
    ("sighting", "link", "settings", "needed"),
    [
        (seen(), None, LINKING, True),
        (seen(None), None, LINKING, False),
        (seen(), None, APART, False),
        (seen(), known("003A", ContactLink.LINKED), LINKING, False),
        (seen(BYRON), known("003A", ContactLink.LINKED), LINKING, True),
        (seen(BYRON), known("003A", ContactLink.ASSIGNED), LINKING, False),
        (seen(), known(), LINKING, True),
    ],
)
def test_looks_contacts_up_only_where_the_answer_matters(
    sighting, link, settings, needed
):
    assert needs_candidates(sighting, link, settings) is needed


@pytest.mark.parametrize(
    ("sighting", "link", "choice", "action"),
    [
        (seen(), None, NOBODY, Action.CREATE),
        (seen(), None, LINKED, Action.ADOPT),
        (seen(), None, LinkChoice(None, ContactLink.AMBIGUOUS), Action.CONFLICT),
        (seen(), None, LinkChoice(None, ContactLink.CREATED, create=True),
         Action.CREATE_CONTACT),
        (seen(), known(), NOBODY, Action.UNCHANGED),
        (seen(fingerprint=NEW), known(), NOBODY, Action.UPDATE),
        (seen(), known(), LINKED, Action.ADOPT),
        (seen(), known("003A", ContactLink.LINKED), LINKED, Action.UNCHANGED),
        (seen(fingerprint=NEW), known("003A", ContactLink.LINKED), LINKED,
         Action.UPDATE),
        (seen(), known("003A", ContactLink.LINKED), NOBODY, Action.UPDATE),
        # A write whose outcome is unknown is repeated.
        (seen(), known(fingerprint=None, state=MemberState.PENDING), NOBODY,
         Action.UPDATE),
        (seen(), known(fingerprint=None, community_user_id=None), NOBODY,
         Action.CREATE),
        # What the org refused waits; other content, or another link, does not.
        (seen(), known(fingerprint=None, sent_fingerprint=OLD,
                       state=MemberState.FAILED), NOBODY, Action.DEFER),
        (seen(fingerprint=NEW), known(fingerprint=None, sent_fingerprint=OLD,
                                      state=MemberState.FAILED), NOBODY,
         Action.UPDATE),
    ],
)  # fmt: skip
def test_decides_what_to_write(sighting, link, choice, action):
    assert decide_member(sighting, link, choice).action is action


def test_writes_refused_content_again_when_a_person_asks():
    refused = known(fingerprint=None, sent_fingerprint=OLD, state=MemberState.FAILED)

    decision = decide_member(seen(), refused, NOBODY, retrying=True)

    assert decision.action is Action.UPDATE


@given(
    st.sampled_from(list(ContactLink)),
    st.lists(st.sampled_from(["003A", "003B", "003C"]), unique=True),
    st.booleans(),
    st.booleans(),
)
def test_never_links_to_one_of_several_contacts(link, candidates, creates, deleted):
    settings = FeatureSettings(create_new_contact=creates)
    choice = choose_link(seen(deleted=deleted), known(None, link), candidates, settings)

    assert choice.contact_id is None or candidates == [choice.contact_id]
    assert not (choice.create and candidates)


@pytest.mark.parametrize(
    ("leaving", "of", "percent", "stops"),
    [
        (0, 100, 25, False),
        (10, 10, 25, False),
        (11, 100, 25, False),
        (25, 100, 25, False),
        (26, 100, 25, True),
        (100, 100, 100, False),
    ],
)
def test_stops_a_landslide_but_not_a_handful(leaving, of, percent, stops):
    assert breaks(leaving, of, percent) is stops
