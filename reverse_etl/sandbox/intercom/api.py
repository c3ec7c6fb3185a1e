"""The calls about contacts, tags, companies and attributes; rate, credentials and version come first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox.base import json_answer, object_of, own_fault
from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.intercom.answers import NotAllowed, error_list
from reverse_etl.sandbox.intercom.company_calls import CompanyCalls
from reverse_etl.sandbox.intercom.contact_calls import ContactCalls
from reverse_etl.sandbox.intercom.workspace import WINDOW_S

if TYPE_CHECKING:
    from reverse_etl.sandbox.intercom.standin import Intercom

OWN_FAULTS: Final = {
    "conflict_without_id": "a 409 does not say whom the contact is a twin of",
    "rate_limited": "answers 429; the header's time of reset is `reset_in_s` seconds ahead (1), or behind if negative",
    "token_expired": "answers 401",
    "plan_restricted": "answers 403 as on a plan without this call",
    "unique_company_constraint": "a company that is written meets another request for it",
}
_PLAINLY: Final = {
    "token_expired": (401, "unauthorized", "Access Token Invalid"),
    "plan_restricted": (403, "api_plan_restricted", "Active subscription needed."),
}


class Api:
    """The routes over one workspace."""

    def __init__(self, intercom: Intercom) -> None:
        self._intercom = intercom
        contacts, companies = ContactCalls(intercom), CompanyCalls(intercom)
        calls: dict[str, Callable[[Request, dict[str, Any], Action | None], Any]] = {
            "GET /me": self.me,
            "GET /contacts": contacts.every,
            "POST /contacts": contacts.create,
            "POST /contacts/search": contacts.search,
            "GET /contacts/find_by_external_id/{external_id:path}": contacts.find,
            "GET /contacts/{contact_id}": contacts.show,
            "PUT /contacts/{contact_id}": contacts.update,
            "DELETE /contacts/{contact_id}": contacts.delete,
            "POST /contacts/{contact_id}/archive": contacts.archive,
            "POST /contacts/{contact_id}/unarchive": contacts.unarchive,
            "GET /contacts/{contact_id}/tags": contacts.tags,
            "POST /contacts/{contact_id}/tags": contacts.tag,
            "DELETE /contacts/{contact_id}/tags/{tag_id}": contacts.untag,
            "GET /contacts/{contact_id}/companies": companies.of_contact,
            "POST /contacts/{contact_id}/companies": companies.attach,
            "DELETE /contacts/{contact_id}/companies/{company_id}": companies.detach,
            "GET /tags": contacts.every_tag,
            "POST /tags": companies.write_tag,
            "GET /companies": companies.every,
            "POST /companies": companies.write,
            "GET /companies/{company_id}": companies.show,
            "GET /data_attributes": companies.attributes,
            "POST /data_attributes": companies.add_attribute,
        }
        self.routes = [
            Route(path, self._endpoint(do), methods=[method])
            for method, path in (call.split(" ") for call in calls)
            for do in (calls[f"{method} {path}"],)
        ]

    def me(self, _request: Request, _sent: dict[str, Any], _fault: Action | None) -> Any:
        """Whose token it is, and where the workspace is."""
        settings = self._intercom.settings
        app = {
            "type": "app",
            "id_code": "sandbox",
            "name": "Sandbox",
            "region": settings.region.upper(),
            "timezone": "UTC",
            "created_at": 1_700_000_000,
            "identity_verification": False,
        }
        return {"type": "admin", "id": "1", "name": "Sandbox", "email": "sandbox@example.com", "app": app}

    def _endpoint(self, do: Callable[[Request, dict[str, Any], Action | None], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            fault = own_fault(request, *OWN_FAULTS)
            headers = {"intercom-version": self._intercom.settings.version}
            try:
                headers |= self._counted(fault)
                self._admit(request, fault)
                request.scope["sandbox.items"] = int(request.method != "GET")
                return json_answer(200, do(request, await object_of(request), fault), headers)
            except NotAllowed as refused:
                told = {**headers, **refused.headers}
                return json_answer(refused.status, error_list(refused.code, str(refused)), told)

        return endpoint

    def _counted(self, fault: Action | None) -> dict[str, str]:
        """The headers of the rate: a window of ten seconds.

        Raises:
            NotAllowed: The window is used up, or a fault wants it so.
        """
        limit = self._intercom.settings.calls_a_window
        now = self._intercom.clock.now()
        calls = self._intercom.workspace.call(now)
        reset = (int(now // WINDOW_S) + 1) * WINDOW_S
        is_over = bool(limit) and calls > limit
        if fault is not None and fault.own == "rate_limited":
            is_over = True
            reset = int(now) + int(fault.details.get("reset_in_s", 1))
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(0 if is_over else max(0, limit - calls)),
            "x-ratelimit-reset": str(reset),
        }
        if is_over:
            raise NotAllowed(429, "rate_limit_exceeded", "Exceeded rate limit", headers)
        return headers if limit else {}

    def _admit(self, request: Request, fault: Action | None) -> None:
        settings = self._intercom.settings
        if request.headers.get("authorization") != f"Bearer {settings.access_token}":
            raise NotAllowed(401, "unauthorized", "Access Token Invalid")
        if fault is not None and fault.own in _PLAINLY:
            raise NotAllowed(*_PLAINLY[str(fault.own)])
        version = request.headers.get("intercom-version")
        if version != settings.version:
            text = f"The requested version could not be found: {version}; the sandbox answers {settings.version} alone"
            raise NotAllowed(400, "intercom_version_invalid", text)
