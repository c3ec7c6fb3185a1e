"""Batches that write: create, update, upsert, archive. First every input is judged, then those that may be are applied.

Documented: at most 100 inputs; with a unique ``objectWriteTraceId`` for each of them those that are valid are applied
and the others named (207), without them one that is not fails the request, which names that one. Seen by clients: one
id twice fails the request; an update by what is no id, without ``idProperty``, does nothing and answers 200. Inferred:
results are in no order, here the reverse of the inputs', and equal errors are told once, for all their inputs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Literal

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.hubspot import values
from reverse_etl.sandbox.hubspot.account import Account
from reverse_etl.sandbox.hubspot.inputs import Input
from reverse_etl.sandbox.hubspot.objects import Objects, Record, folded, values_of
from reverse_etl.sandbox.hubspot.problems import Problem, ValueProblem, invalid_values

Verb = Literal["create", "update", "upsert"]
OWN_FAULTS: Final = {
    "empty": "2xx with neither results nor errors, and nothing is written",
    "refuse": "these inputs are refused: ids, category and message in details",
    "untraced_errors": "as refuse, and the errors do not say which inputs they are about",
    "untraced_results": "written, and the results have no trace ids",
    "missing_results": "written, and every second result is missing",
    "warnings": "written, and each result has a warning",
}
"""What a batch can do wrong, by name; any other fault is dealt with before."""


@dataclass(slots=True)
class _Plan:
    """What is to become of one input.

    Attributes:
        target: The record that it changes; None where it makes one, or where there is a problem.
        does_nothing: Whether it is neither an error nor written.
    """

    input: Input
    target: Record | None = None
    properties: dict[str, str] | None = None
    problem: Problem | None = None
    does_nothing: bool = False


def write(account: Account, objects: Objects, verb: Verb, inputs: list[Input], fault: Action | None) -> Response:
    """Writes a batch and answers it."""
    refused = _batch_problem(account, objects, verb, inputs)
    if refused is not None:
        return refused.answer()
    plans = _plans(account, objects, verb, inputs, fault)
    traces = [each.trace_id for each in inputs]
    is_traced = None not in traces and len(set(traces)) == len(traces)
    problem = next((plan.problem for plan in plans if plan.problem is not None), None)
    if problem is not None and not is_traced:
        return problem.answer()
    started = account.now()
    if fault is not None and fault.own == "empty":
        return _complete(200, started, [], [])
    results = [_apply(account, objects, verb, plan) for plan in plans if plan.problem is None and not plan.does_nothing]
    results.reverse()
    if fault is not None:
        _spoil(results, fault)
    errors = _errors(plans, named=fault is None or fault.own != "untraced_errors")
    return _complete(207 if errors else 201 if verb == "create" else 200, started, results, errors)


def archive(account: Account, objects: Objects, ids: list[str]) -> Response:
    """Archives records; ids that there are none of are passed over."""
    now = account.now()
    for record in filter(None, (objects.find(None, each) for each in ids)):
        objects.archive(record, now)
        account.associations.forget(record.id)
        account.lists.forget(record.id)
    return Response(status_code=204)


def _complete(status: int, started: str, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> Response:
    content: dict[str, Any] = {"status": "COMPLETE", "startedAt": started, "completedAt": started, "results": results}
    if errors:
        named = sum(len(each["context"].get("objectWriteTraceId", [None])) for each in errors)
        content |= {"numErrors": named, "errors": errors}
    return json_answer(status, content)


def _batch_problem(account: Account, objects: Objects, verb: Verb, inputs: list[Input]) -> Problem | None:
    """Why the batch as a whole is refused."""
    for each in inputs:
        if verb == "upsert" and each.id_property is None:
            return Problem("idProperty is required for each input of a batch upsert")
        if verb != "create" and each.id_property is not None and not objects.kind.finds_by(each.id_property):
            return Problem(
                f"Unable to perform update/upsert by non-unique {objects.kind.id} property {each.id_property} "
                f"in portal ID {account.settings.portal_id}"
            )
    if verb == "create":
        return None
    times = Counter((each.id_property, folded(each.id_property or "", each.id)) for each in inputs)
    twice = [value for (_, value), count in times.items() if count > 1]
    if not twice:
        return None
    return Problem(
        f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique", context={"ids": twice}
    )


def _plans(account: Account, objects: Objects, verb: Verb, inputs: list[Input], fault: Action | None) -> list[_Plan]:
    claimed: dict[tuple[str, str], str] = {}
    plans = []
    for place, each in enumerate(inputs):
        plan = _Plan(each, problem=_told_by_fault(each, fault))
        if plan.problem is None:
            _judge(account, objects, verb, plan)
        if plan.properties is not None and plan.problem is None:
            owner = plan.target.id if plan.target is not None else f"input {place}"
            plan.problem = _conflict(objects, plan, owner, claimed)
        plans.append(plan)
    return plans


def _judge(account: Account, objects: Objects, verb: Verb, plan: _Plan) -> None:
    """Finds the record and cleans the values, or says what is wrong."""
    each, kind = plan.input, objects.kind
    given = each.properties
    if verb != "create":
        plan.target = objects.find(each.id_property, each.id)
    if verb == "update" and plan.target is None:
        if each.id_property is None and not each.id.isdecimal():
            plan.does_nothing = True
        else:
            message = f"Could not get some {kind.singular} objects, they may be deleted or not exist."
            plan.problem = Problem(message, "OBJECT_NOT_FOUND", 404, context={"ids": [each.id]})
        return
    if verb == "upsert" and each.id_property is not None:
        given = {each.id_property: each.id, **given}
    plan.properties, wrong = values.clean(kind, given)
    missing = [name for name in kind.required if plan.target is None and not plan.properties.get(name)]
    if wrong:
        plan.problem = invalid_values(wrong)
    elif missing:
        message = f"Error creating {kind.singular}. Some required properties were not set."
        plan.problem = Problem(message, context={"properties": missing})
    elif verb == "upsert" and each.id_property == "email" and account.settings.email_upsert == "clear":
        kept = {} if plan.target is None else dict.fromkeys(plan.target.properties, "")
        plan.properties = {**kept, **plan.properties}


def _conflict(objects: Objects, plan: _Plan, owner: str, claimed: dict[tuple[str, str], str]) -> Problem | None:
    """Whether a unique value belongs to another record, or to an earlier input; otherwise it is claimed."""
    after = {**(plan.target.properties if plan.target is not None else {}), **(plan.properties or {})}
    wanted = [(name, value) for name in objects.kind.unique_names() for value in values_of(name, after) if value]
    for name, value in wanted:
        found = objects.find(name, value)
        holder = found.id if found is not None and found is not plan.target else claimed.get((name, value), owner)
        if holder != owner and name == objects.kind.key:
            message = f"{objects.kind.singular.capitalize()} already exists. Existing ID: {holder}"
            return Problem(message, "CONFLICT", 409)
        if holder != owner:
            message = f"Cannot set {name}: {holder} already has that value."
            return invalid_values([ValueProblem(name, "CONFLICTING_UNIQUE_VALUE", message)])
    claimed.update(dict.fromkeys(wanted, owner))
    return None


def _apply(account: Account, objects: Objects, verb: Verb, plan: _Plan) -> dict[str, Any]:
    """Writes one input; its entry among the results."""
    properties = plan.properties or {}
    record = plan.target
    if record is None:
        record = objects.create(account.new_id(), properties, account.now(), account.searchable_from())
    else:
        objects.update(record, properties, account.now(), account.searchable_from())
    system = ["hs_object_id", "createdate", "hs_lastmodifieddate"]
    result = record.as_json([*properties, *system])
    if verb == "upsert":
        result["new"] = plan.target is None
    if plan.input.trace_id is not None:
        result["objectWriteTraceId"] = plan.input.trace_id
    return result


def _errors(plans: list[_Plan], *, named: bool) -> list[dict[str, Any]]:
    """What is told of the inputs that were refused; equal problems once."""
    by_text: dict[str, tuple[Problem, list[str]]] = {}
    for plan in plans:
        if plan.problem is not None:
            told = plan.problem
            by_text.setdefault(f"{told.message}{told.context}", (told, []))[1].append(plan.input.trace_id or "")
    return [problem.as_json({"objectWriteTraceId": traces} if named else {}) for problem, traces in by_text.values()]


def _told_by_fault(each: Input, fault: Action | None) -> Problem | None:
    """The problem that a fault gives to one input; ``details`` name ids, or all are meant."""
    if fault is None or fault.own not in ("refuse", "untraced_errors"):
        return None
    ids = fault.details.get("ids")
    if ids is not None and each.id not in ids:
        return None
    category = fault.details.get("category", "VALIDATION_ERROR")
    return Problem(fault.details.get("message", "refused by a sandbox fault"), category)


def _spoil(results: list[dict[str, Any]], fault: Action) -> None:
    if fault.own == "warnings":
        told = {"category": "VALIDATION_WARNING", "message": "warned by a sandbox fault", "context": {}}
        for result in results:
            result["warnings"] = [told]
    elif fault.own == "untraced_results":
        for result in results:
            result.pop("objectWriteTraceId", None)
    elif fault.own == "missing_results":
        del results[::2]
