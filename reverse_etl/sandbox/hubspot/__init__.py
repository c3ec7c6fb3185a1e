"""A stand-in for HubSpot's CRM: records in batches, properties, lists, associations, limits."""
