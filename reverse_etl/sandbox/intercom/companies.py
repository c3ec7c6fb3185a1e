"""Companies and who belongs to them: a company that nobody belongs to is hidden."""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.sandbox.intercom.answers import NotAllowed
from reverse_etl.sandbox.intercom.attributes import checked
from reverse_etl.sandbox.intercom.settings import IntercomSettings
from reverse_etl.sandbox.intercom.workspace import Company, Contact, IntercomWorkspace, Shown

MAX_COMPANIES: Final = 1000
_FIELDS: Final = ("name", "plan", "size", "website", "industry", "monthly_spend", "remote_created_at")
_TEXTS: Final = ("name", "plan", "website", "industry", "company_id")
_NUMBERS: Final = ("size", "remote_created_at")


def written(workspace: IntercomWorkspace, sent: Shown, settings: IntercomSettings, now: float) -> Company:
    """The company of a ``company_id``, made if need be; a fraction of ``monthly_spend`` is lost.

    Raises:
        NotAllowed: What was sent is not right.
    """
    company_id = sent.get("company_id")
    if not company_id:
        raise NotAllowed(400, "parameter_not_found", "company_id is required")
    for name in _TEXTS:
        if sent.get(name) is not None and not isinstance(sent[name], str):
            raise NotAllowed(400, "parameter_invalid", f"{name} is invalid")
    for name in _NUMBERS:
        if sent.get(name) is not None and type(sent[name]) is not int:
            raise NotAllowed(400, "parameter_invalid", f"{name} is invalid")
    spend: Any = sent.get("monthly_spend")
    if spend is not None and type(spend) not in (int, float):
        raise NotAllowed(400, "parameter_invalid", "monthly_spend is invalid")
    custom = checked(workspace.attributes, "company", sent.get("custom_attributes"), settings)
    company = workspace.by_company_id.get(company_id) or workspace.add_company(company_id, int(now))
    for name in _FIELDS:
        if name in sent:
            company.fields[name] = int(spend) if name == "monthly_spend" and spend is not None else sent[name]
    for name, value in custom.items():
        if value is None:
            company.custom_attributes.pop(name, None)
        else:
            company.custom_attributes[name] = value
    company.updated_at = int(now)
    return company


def attach(workspace: IntercomWorkspace, contact: Contact, company_id: Any) -> Company:
    """Lets a contact belong to a company of Intercom's id.

    Raises:
        NotAllowed: There is no such company, or the contact belongs to a thousand.
    """
    if not company_id:
        raise NotAllowed(400, "parameter_not_found", "company not specified")
    company = existing(workspace, str(company_id))
    if company.id not in contact.companies and len(contact.companies) >= MAX_COMPANIES:
        text = f"Contact has reached the maximum of {MAX_COMPANIES} company associations"
        raise NotAllowed(400, "contact_company_limit_exceeded", text)
    contact.companies[company.id] = None
    company.contacts[contact.id] = None
    return company


def existing(workspace: IntercomWorkspace, company_id: str) -> Company:
    """The company of Intercom's id.

    Raises:
        NotAllowed: There is none.
    """
    company = workspace.companies.get(company_id)
    if company is None:
        raise NotAllowed(404, "company_not_found", "Company Not Found")
    return company
