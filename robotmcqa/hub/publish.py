"""Publishing a data set on the Hub: one commit and one tag per release.

A reader pins a tag ``vX.Y.Z``. The commit it names holds all files of the release at once, and the
tag is made after it and never moved; so whatever moment a push is cut off at, there is either no
tag or a whole release. A commit whose tag is missing is known by its title and its changelog, and
tagged by whoever pushes next. Somebody else's commit in between is seen by the Hub
(``parent_commit``): the push looks again and comes after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import constants, get_token

from robotmcqa.errors import HubError, UsageError
from robotmcqa.hub.changelog import newest
from robotmcqa.hub.release import (
    CHANGELOG,
    Checked,
    Plan,
    Released,
    carries,
    checked,
    plan_release,
    state_of,
    version_in,
)
from robotmcqa.hub.remote import Moved, Remote, State, TagTaken
from robotmcqa.hub.versions import Version

__all__ = ["Pushed", "push"]

ROUNDS = 8
"""How often a push starts again because somebody else was faster."""

Action = Literal["released", "finished", "unchanged", "planned"]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has done.

    Attributes:
        repo: ``org/name``.
        version: of the release that now has the folder's content.
        action: ``released`` it; ``finished`` a push that was cut off before its tag;
            ``unchanged``, it was there already; ``planned`` by a dry run.
        commit: of the release; "" for a dry run that found something to do.
        plan: the files.
        overtaken: how often somebody else was faster.
        finished: versions of cut-off pushes that were tagged (or, in a dry run, would be).
    """

    repo: str
    version: Version
    action: Action
    commit: str
    plan: Plan
    overtaken: int = 0
    finished: tuple[Version, ...] = ()

    @property
    def url(self) -> str:
        """The page of the release."""
        return f"{constants.ENDPOINT}/datasets/{self.repo}/tree/{self.version}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        plan = self.plan
        return {
            "repo": self.repo,
            "url": self.url,
            "version": str(self.version),
            "action": self.action,
            "commit": self.commit,
            "upload": [{"path": file.path, "bytes": file.size} for file in plan.upload],
            "bytes": sum(file.size for file in plan.upload),
            "new": list(plan.new),
            "changed": list(plan.changed),
            "unchanged": list(plan.same),
            "removed": list(plan.removed),
            "overtaken": self.overtaken,
            "finished": [str(version) for version in self.finished],
        }


def push(
    path: Path,
    repo: str,
    *,
    version: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    message: str = "",
    say: Callable[[str], None] = lambda text: None,
    advance: Callable[[int], None] = lambda rows: None,
) -> Pushed:
    """Publish a folder that ``extract`` wrote as the next version of ``repo``.

    Args:
        path: the folder.
        repo: ``org/name``; made if it does not exist.
        version: ``vX.Y.Z`` of the release; by default the next, by what has changed.
        private: make a repository that only its owners see.
        dry_run: find out what would be done, and do nothing.
        message: what is new, for the changelog.
        say: hears of waiting and of what had to be done beside the push.
        advance: called with the number of rows just validated.

    Raises:
        DatasetError: the folder is no data set, or does not validate.
        UsageError: the version is taken or too low, or the repository holds something else.
        HubError: the Hub refuses, fails, or cannot be reached.
    """
    asked = Version.parse(version) if version else None
    remote = Remote(repo, say)
    if not dry_run:
        remote.check_logged_in()  # before the rows are validated, which may take minutes
    mine = checked(path, advance)
    _open(remote, private, dry_run, say)
    return _Push(remote, mine, asked, message, dry_run, say).run()


def _open(remote: Remote, private: bool, dry_run: bool, say: Callable[[str], None]) -> None:
    """Have the repository there, and be sure that we may write to it."""
    if remote.state() is None:
        if dry_run:
            return
        if remote.create(private):
            say(f"made the {'private' if remote.is_private() else 'public'} data set {remote.repo}")
    if not dry_run or get_token():
        remote.check_may_write()
    if private and not remote.is_private():
        raise UsageError(
            f"--private: {remote.repo} exists and is public",
            "change that in its settings on the Hub, or take another name",
        )


@dataclass
class _Push:
    """One push: look, plan, commit, tag; once more for as long as others are faster."""

    remote: Remote
    mine: Checked
    asked: Version | None
    message: str
    dry_run: bool
    say: Callable[[str], None]

    def run(self) -> Pushed:
        made: dict[Version, Plan] = {}  # what this push has tried to commit
        finished: list[Version] = []
        for overtaken in range(ROUNDS):
            try:
                return self._round(overtaken, made, finished)
            except Moved:
                self.say(f"{self.remote.repo} has changed meanwhile; looking again")
        raise HubError(
            f"{self.remote.repo}: others were faster {ROUNDS} times", "push again when they rest"
        )

    def _round(self, overtaken: int, made: dict[Version, Plan], finished: list[Version]) -> Pushed:
        state = self.remote.state()
        if state:
            state = self._finish(state, finished)
        elif not self.dry_run:
            raise HubError(f"{self.remote.repo} has gone", "push again, or take another name")
        if state and (landed := self._landed(state, made)):
            return Pushed(
                self.remote.repo,
                landed,
                "released",
                state.versions[landed],
                made[landed],
                finished=tuple(finished),
            )
        plan = self._plan(state)
        result = Pushed(
            self.remote.repo, plan.version, "planned", "", plan, overtaken, tuple(finished)
        )
        if state and plan.unchanged:
            action: Action = "unchanged"
            if plan.version in finished:
                action = "planned" if self.dry_run else "finished"
            return replace(result, action=action, commit=state.versions[plan.version])
        if self.dry_run or not state:
            return result
        made[plan.version] = plan  # though the answer be lost, it may have been made
        commit = self.remote.commit(plan.upload, plan.removed, plan.title, plan.text, state.head)
        self._tag(plan.version, commit)
        return replace(result, action="released", commit=commit)

    def _landed(self, state: State, made: Mapping[Version, Plan]) -> Version | None:
        """The version under which an earlier round has landed, though its answer was lost."""
        for version in made.keys() & state.versions.keys():
            if carries(self.mine, Released.at(self.remote, state.versions[version], version)):
                return version
        return None

    def _plan(self, state: State | None) -> Plan:
        if state is None:
            return plan_release(self.mine, self.remote.repo, None, None, self.asked, self.message)
        head, latest = state_of(self.remote, state, self.asked)
        head.refuse_foreign(self.remote.repo)

        def earlier(path: str) -> Iterator[str]:
            for commit in reversed(state.versions.values()):
                yield self.remote.read(path, commit) or ""

        return plan_release(
            self.mine, self.remote.repo, head, latest, self.asked, self.message, earlier
        )

    def _finish(self, state: State, finished: list[Version]) -> State:
        """Tag the releases whose push was cut off between commit and tag."""
        tags = dict(state.tags)
        for version, commit in self._untagged(state):
            if not self.dry_run:
                self._tag(version, commit)
            tags[str(version)] = commit
            finished.append(version)
            self.say(
                f"{version} was committed but not tagged; "
                + ("a push would tag it" if self.dry_run else "tagged it now")
            )
        return State(state.head, tags)

    def _untagged(self, state: State) -> list[tuple[Version, str]]:
        """Release commits after the last tagged one, the oldest first."""
        found: list[tuple[Version, str]] = []
        tagged = set(state.versions.values())
        if state.head in tagged:
            return found
        for commit, title in self.remote.history():
            if commit in tagged:
                break
            version = version_in(title)
            if version and version not in state.versions and self._is_release(version, commit):
                found.append((version, commit))
        return found[::-1]

    def _is_release(self, version: Version, commit: str) -> bool:
        """Whether the commit says so itself; a title alone anybody may write."""
        return newest(self.remote.read(CHANGELOG, commit) or "") == version

    def _tag(self, version: Version, commit: str) -> None:
        """Tag a commit; it may have been tagged by somebody who finished our push.

        Raises:
            Moved: somebody has tagged another commit with this version.
        """
        try:
            self.remote.tag(str(version), commit)
        except TagTaken:
            state = self.remote.state()
            if state is None or state.tags.get(str(version)) != commit:
                raise Moved from None
