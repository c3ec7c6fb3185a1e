"""Customer.io: operations of Track API v2, manual segments of v1, the App API calls that syncs need."""
