"""A stand-in Intercom workspace: contacts, tags, companies, data attributes."""
