"""How the API shows a contact, a company, a tag."""

from __future__ import annotations

from typing import Any

from reverse_etl.sandbox.intercom.workspace import APP_ID, Company, Contact, IntercomWorkspace, Shown, Tag

_EMPTY = (
    "avatar",
    "last_seen_at",
    "last_replied_at",
    "last_contacted_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "language_override",
    "browser",
    "browser_version",
    "browser_language",
    "os",
    *(f"android_{name}" for name in ("app_name", "app_version", "device", "os_version", "sdk_version", "last_seen_at")),
    *(f"ios_{name}" for name in ("app_name", "app_version", "device", "os_version", "sdk_version", "last_seen_at")),
)


def show_contact(workspace: IntercomWorkspace, contact: Contact) -> Shown:
    """A contact; of its tags and companies the first ten."""
    base = f"/contacts/{contact.id}"
    companies = [workspace.companies[company_id] for company_id in contact.companies]
    return {
        "type": "contact",
        "id": contact.id,
        "workspace_id": APP_ID,
        "external_id": contact.external_id,
        "role": contact.role,
        "email": contact.email,
        "phone": contact.fields.get("phone"),
        "name": contact.fields.get("name"),
        "owner_id": contact.fields.get("owner_id"),
        "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "unsubscribed_from_emails": bool(contact.fields.get("unsubscribed_from_emails")),
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "signed_up_at": contact.fields.get("signed_up_at"),
        **dict.fromkeys(_EMPTY),
        "last_seen_at": contact.fields.get("last_seen_at"),
        "location": {"type": "location", "country": None, "region": None, "city": None},
        "custom_attributes": dict(contact.custom_attributes),
        "tags": _some("tag", base + "/tags", list(contact.tags)),
        "notes": _some("note", base + "/notes", []),
        "companies": _some("company", base + "/companies", [company.id for company in companies]),
    }


def show_company(workspace: IntercomWorkspace, company: Company) -> Shown:
    """A company with its number of contacts."""
    tags = [show_tag(workspace.tags[tag_id]) for tag_id in company.tags]
    shown: Shown = {
        "type": "company",
        "id": company.id,
        "company_id": company.company_id,
        "app_id": APP_ID,
        "name": company.fields.get("name") or "",
        "created_at": company.created_at,
        "updated_at": company.updated_at,
        "monthly_spend": company.fields.get("monthly_spend", 0),
        "session_count": 0,
        "user_count": len(company.contacts),
        "tags": {"type": "tag.list", "tags": tags},
        "segments": {"type": "segment.list", "segments": []},
        "plan": {"type": "plan", "name": company.fields["plan"]} if company.fields.get("plan") else {},
        "custom_attributes": dict(company.custom_attributes),
    }
    for name in ("remote_created_at", "size", "website", "industry"):
        if company.fields.get(name) is not None:
            shown[name] = company.fields[name]
    return shown


def show_tag(tag: Tag, applied_at: int | None = None) -> Shown:
    """A tag, with the time since when a contact has it."""
    shown: Shown = {"type": "tag", "id": tag.id, "name": tag.name}
    if applied_at is None:
        return shown
    return {**shown, "applied_at": applied_at, "applied_by": {"type": "admin", "id": "1"}}


def _some(kind: str, url: str, ids: list[str]) -> dict[str, Any]:
    data = [{"type": kind, "id": each, "url": f"/{kind if kind != 'company' else 'companie'}s/{each}"} for each in ids]
    return {"type": "list", "data": data[:10], "url": url, "total_count": len(ids), "has_more": len(ids) > 10}
