"""
The org's deploys: a package is checked against the schema as it would become, then
put in place whole, or in its sound parts, or not at all.
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from xml.sax.saxutils import escape

from lxml import etree

from worker.sandbox.salesforce.errors import not_found
from worker.sandbox.salesforce.ids import normalise
from worker.sandbox.salesforce.metadata.checks import CHECKS, View
from worker.sandbox.salesforce.metadata.fields import World, field_of
from worker.sandbox.salesforce.metadata.installing import (
    drop_component,
    install_object,
    install_permission_set,
    name_field_of,
)
from worker.sandbox.salesforce.metadata.package import (
    Component,
    Problem,
    own_parts,
    read,
)
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import Field
from worker.sandbox.salesforce.standard import system_fields

_PREFIX = "0Af"
_COMPONENT_PREFIXES = {
    "CustomObject": "01I",
    "CustomField": "00N",
    "Layout": "00h",
    "ListView": "00B",
    "CustomTab": "01r",
    "PermissionSet": "0PS",
}
_ORDER = (
    "CustomObject",
    "CustomField",
    "CompactLayout",
    "ListView",
    "CustomTab",
    "Layout",
    "CustomApplication",
    "PermissionSet",
)


class Status(StrEnum):
    """
    Where a deploy stands.

    PENDING waits, IN_PROGRESS works; SUCCEEDED, PARTIAL (sound parts only), FAILED
    (nothing was changed, unless parts were allowed) and CANCELED are final.
    """

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    PARTIAL = "SucceededPartial"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class Options:
    check_only: bool = False
    rollback_on_error: bool = True
    ignore_warnings: bool = False


@dataclass(slots=True)
class Deploy:
    """One deploy and what became of its components."""

    id: str
    user_id: str
    options: Options
    archive: bytes
    created_at: str
    status: Status = Status.PENDING
    changed_at: str = ""
    components: list[Component] = field(default_factory=list)
    error_message: str | None = None

    @property
    def is_done(self) -> bool:
        return self.status not in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def failures(self) -> list[Component]:
        return [c for c in self.components if c.problem is not None]

    @property
    def successes(self) -> list[Component]:
        return [c for c in self.components if c.problem is None]


class Deploys:
    """All deploys, and the components that are in place."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._deploys: dict[str, Deploy] = {}
        # (kind, name) → component and digest of what was deployed last.
        self.installed: dict[tuple[str, str], tuple[Component, str]] = {}

    def add(self, archive: bytes, options: Options, user_id: str) -> Deploy:
        made = Deploy(
            self._org.ids.next(_PREFIX),
            user_id,
            options,
            archive,
            self._org.clock.stamp(),
        )
        made.changed_at = made.created_at
        self._deploys[made.id] = made
        return made

    def get(self, deploy_id: str) -> Deploy:
        found = self._deploys.get(normalise(deploy_id) or "")
        if found is None:
            raise not_found()
        return found

    def source_of(self, kind: str, name: str) -> str:
        """The XML of a deployed component, an object's fields included."""
        held = self.installed.get((kind, name))
        if held is None and (
            kind != "CustomObject" or name.lower() not in self._org.types
        ):
            return ""
        own = [] if held is None else own_parts(held[0])
        fields = [
            c.element
            for (part, full_name), (c, _) in self.installed.items()
            if part == "CustomField" and kind == "CustomObject"
            if full_name.startswith(f"{name}.") and c.element is not None
        ]
        parts = [etree.tostring(p, with_tail=False).decode() for p in own + fields]
        return f"<fullName>{escape(name)}</fullName>{''.join(parts)}"

    async def work(self, deploy: Deploy) -> None:
        """Bring a deploy to its end; polls in between see it on its way."""
        await asyncio.sleep(0)
        with self._org.lock:
            if deploy.is_done:
                return
            self._move(deploy, Status.IN_PROGRESS)
        await asyncio.sleep(0)
        with self._org.lock:
            self.run(deploy)

    def run(self, deploy: Deploy) -> None:
        """Check everything, then install what may be installed."""
        try:
            deploy.components = read(deploy.archive).components
        except Problem as problem:
            deploy.error_message = problem.text
            found = Component("", "package.xml", "package.xml", None, problem)
            deploy.components = [found]
        deploy.archive = b""
        order = {kind: rank for rank, kind in enumerate(_ORDER)}
        deploy.components.sort(key=lambda c: order.get(c.kind, len(order)))
        plan = Plan(self._org, deploy.components)
        plan.check()
        self._mark(deploy)
        partly = not deploy.options.rollback_on_error
        if not deploy.options.check_only and (partly or not deploy.failures):
            self._install(plan, deploy)
        self._move(deploy, _outcome(deploy, partly=partly))

    def cancel(self, deploy: Deploy) -> None:
        if not deploy.is_done:
            self._move(deploy, Status.CANCELED)

    def _move(self, deploy: Deploy, status: Status) -> None:
        deploy.status, deploy.changed_at = status, self._org.clock.stamp()

    def _mark(self, deploy: Deploy) -> None:
        for component in deploy.successes:
            held = self.installed.get(component.key)
            component.created = held is None and not self._stands(component)
            component.changed = held is None or held[1] != component.digest()
            component.id = held[0].id if held else self._new_id(component)

    def _stands(self, component: Component) -> bool:
        """Whether something of this name was in the org before any deploy."""
        if component.kind == "CustomObject":
            return component.name.lower() in self._org.types
        return component.deleting

    def _new_id(self, component: Component) -> str:
        return self._org.ids.next(_COMPONENT_PREFIXES.get(component.kind, "0A7"))

    def _install(self, plan: "Plan", deploy: Deploy) -> None:
        for component in deploy.successes:
            if component.deleting:
                drop_component(self._org, component)
                self.installed.pop(component.key, None)
            elif component.changed:
                plan.install(component)
                self.installed[component.key] = (component, component.digest())


def _outcome(deploy: Deploy, *, partly: bool) -> Status:
    if not deploy.failures:
        return Status.SUCCEEDED
    return Status.PARTIAL if partly and deploy.successes else Status.FAILED


class Plan:
    """The checks of one package and the fields they yield."""

    def __init__(self, org: Org, components: list[Component]) -> None:
        self._org = org
        self._components = components
        self._fields: dict[str, Field] = {}
        self._view = View(org.types)

    def check(self) -> None:
        """Set the problem of every component that may not be deployed."""
        for component in self._components:
            if component.problem is not None:
                continue
            try:
                self._check(component)
            except Problem as problem:
                component.problem = problem

    def _check(self, component: Component) -> None:
        if component.deleting:
            self._check_deletion(component)
        elif component.kind == "CustomField":
            self._check_field(component)
        elif component.kind in CHECKS:
            CHECKS[component.kind](component, self._view)
            if component.kind == "CustomObject":
                self._foresee(component)

    def _check_deletion(self, component: Component) -> None:
        exists = (
            self._view.has_type(component.name)
            if component.kind == "CustomObject"
            else self._view.field(component.name) is not None
        )
        if component.kind not in ("CustomObject", "CustomField"):
            raise Problem(f"Deleting {component.kind} is not emulated by this sandbox")
        if not exists or not component.name.endswith("__c"):
            raise Problem(f"No {component.kind} named: {component.name} found")

    def _foresee(self, component: Component) -> None:
        if not self._view.has_type(component.name):
            label = component.text("label") or ""
            fields = [*system_fields(label), *name_field_of(component)]
            self._view.add_type(component.name, fields)

    def _check_field(self, component: Component) -> None:
        type_name = component.name.partition(".")[0]
        if not self._view.has_type(type_name):
            raise Problem(f"Entity type: '{type_name}' is unknown", component.line())
        made = field_of(component, World(self._view.has_type))
        held = self._view.field(component.name)
        if held is not None and held.type != made.type:
            raise Problem(
                f"Cannot change field type from {held.type} to {made.type}",
                component.line("type"),
            )
        self._check_relationship(component, made)
        self._fields[component.name] = made
        self._view.add_field(type_name, made)

    def _check_relationship(self, component: Component, made: Field) -> None:
        if made.child_relationship is None:
            return
        taken = {f"{type_name}.{f.name}" for type_name, f in self._siblings(made)}
        if taken - {component.name}:
            raise Problem(
                "There is already a Child Relationship named "
                f"{made.child_relationship} on {made.reference_to[0]}.",
                component.line("relationshipName"),
            )

    def _siblings(self, made: Field) -> list[tuple[str, Field]]:
        existing = [
            (t.name, f) for t in self._org.types.values() for f in t.fields.values()
        ]
        planned = [(n.partition(".")[0], f) for n, f in self._fields.items()]
        return [
            (type_name, f)
            for type_name, f in existing + planned
            if f.custom
            and f.child_relationship == made.child_relationship
            and f.reference_to == made.reference_to
        ]

    def install(self, component: Component) -> None:
        match component.kind:
            case "CustomObject":
                install_object(self._org, component)
            case "CustomField":
                type_name = component.name.partition(".")[0]
                self._org.add_field(type_name, self._fields[component.name])
            case "PermissionSet":
                install_permission_set(self._org, component)
            case _:
                # Layouts, list views, tabs and apps are kept, and show nowhere else.
                self._org.schema_changed()
