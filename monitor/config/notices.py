"""From settings to the policies of notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from monitor.config.notice_sections import NoticePolicy
from monitor.config.notice_sections import Notices as Section
from monitor.events.notices import Notices, Place, Policy


def make_notices(section: Section, local: Callable[[float], datetime]) -> Notices:
    """Return what judges records as the settings say; ``local`` as for :class:`Notices`."""
    return Notices(*_arguments(section), local)


def configure_notices(notices: Notices, section: Section) -> None:
    """Let it follow other settings."""
    notices.configure(*_arguments(section))


def local_time(utc: float) -> datetime:
    """Return this machine's local time."""
    return datetime.fromtimestamp(utc).astimezone()


def utc_time(utc: float) -> datetime:
    """Return the time in UTC."""
    return datetime.fromtimestamp(utc, timezone.utc)


def _arguments(
    section: Section,
) -> tuple[dict[str, Policy], dict[str, list[str]], Policy, Place | None]:
    policies = {label: _policy(one, section) for label, one in section.classes.items()}
    policies |= {name: _policy(group, section) for name, group in section.groups.items()}
    groups = {name: group.labels for name, group in section.groups.items()}
    place = None
    if section.latitude is not None and section.longitude is not None:
        place = Place(section.latitude, section.longitude)
    return policies, groups, Policy(quiet_hours=section.quiet_hours), place


def _policy(values: NoticePolicy, section: Section) -> Policy:
    fields = values.model_dump(exclude={"labels"})
    return Policy(**{**fields, "quiet_hours": values.quiet_hours or section.quiet_hours})
