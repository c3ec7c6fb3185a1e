"""HubSpot as a destination."""
